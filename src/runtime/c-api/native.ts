import { TesseraError } from '../../base/index.ts';
import { FATAL_ONLY } from '../defaults.ts';
import type { Ledger } from '../ledger.ts';
import { type OrtApi, type Pointer, signatures } from './functions.ts';

type Koffi = typeof import('koffi')['default'];

/** Version of the function table asked for; later libraries still serve it. */
const API_VERSION = 22;

/** koffi runs C functions on stacks of its own, by default too small for ONNX Runtime's kernels. */
const STACK_BYTES = 8 * 1024 * 1024;

const STATUS_CODES = [
  'OK',
  'FAIL',
  'INVALID_ARGUMENT',
  'NO_SUCHFILE',
  'NO_MODEL',
  'ENGINE_ERROR',
  'RUNTIME_EXCEPTION',
  'INVALID_PROTOBUF',
  'MODEL_LOADED',
  'NOT_IMPLEMENTED',
  'INVALID_GRAPH',
  'EP_FAIL',
];

/** The loaded library with what all its sessions share. */
export interface Native {
  readonly api: OrtApi;
  readonly version: string;
  readonly env: Pointer;
  readonly allocator: Pointer;
  /** Describes memory of the CPU. */
  readonly cpu: Pointer;
  readonly memory: Memory;
}

/** Reads of native memory. */
export interface Memory {
  /** Address of an array's first element, wherever in its buffer it begins. The caller keeps the array. */
  address(array: ArrayBufferView): Pointer;
  string(at: Pointer): string;
  /** Copies bytes out into an array. */
  read(at: Pointer, into: Uint8Array): void;
}

const loaded = new Map<string, Promise<Native>>();

/** koffi unloads a library whose handle is collected, and calls through its function table would then crash. */
const handles: unknown[] = [];

/**
 * Loads ONNX Runtime's library and makes the one environment of this process.
 * @throws TesseraError `runtime/library` when it cannot be loaded or is of another version.
 */
export function loadNative(path: string, version: string): Promise<Native> {
  const known = loaded.get(path) ?? open(path, version);
  loaded.set(path, known);
  return known;
}

async function open(path: string, expected: string): Promise<Native> {
  const { default: koffi } = await import('koffi');
  const base = loadBase(koffi, path);
  const version = base.version();
  const table = version === expected ? base.table(API_VERSION) : null;
  if (table === null) {
    throw new TesseraError({
      code: 'runtime/library',
      message: 'the ONNX Runtime library is of another version than its package',
      path,
      expected: `${expected} with API ${API_VERSION}`,
      got: version,
      remedy: 'run npm ci',
    });
  }
  const api = bindFunctions(koffi, table);
  const make = (call: (slot: BigUint64Array) => Pointer | null) => pointerFrom(api, call);
  return {
    api,
    version,
    env: make((slot) => api.createEnv(FATAL_ONLY, 'tessera', slot)),
    allocator: make((slot) => api.getAllocatorWithDefaultOptions(slot)),
    cpu: make((slot) => api.createCpuMemoryInfo(0, 0, slot)),
    memory: memoryOf(koffi),
  };
}

function loadBase(koffi: Koffi, path: string): { version(): string; table(version: number): Pointer | null } {
  try {
    growStacks(koffi);
    const library = koffi.load(path);
    handles.push(library);
    const base = library.func('OrtGetApiBase', 'void *', [])();
    const [table, version] = koffi.decode(base, 'uint64_t', 2) as BigUint64Array;
    return {
      version: koffi.decode(version, koffi.proto('str', [])),
      table: koffi.decode(table, koffi.proto('void *', ['uint32_t'])),
    };
  } catch (cause) {
    const message = `the ONNX Runtime library cannot be loaded: ${(cause as Error).message}`;
    throw new TesseraError({ code: 'runtime/library', message, path, remedy: 'run npm ci' }, { cause });
  }
}

/** koffi takes sizes only before it loads its first library. */
function growStacks(koffi: Koffi): void {
  const { sync_stack_size: sync = 0, async_stack_size: async = 0 } = koffi.config();
  if (Math.min(sync, async) >= STACK_BYTES) return;
  koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
}

function bindFunctions(koffi: Koffi, table: Pointer): OrtApi {
  const last = Math.max(...Object.values(signatures).map(([index]) => index));
  const addresses = koffi.decode(table, 'uint64_t', last + 1) as BigUint64Array;
  const entries = Object.entries(signatures).map(([name, [index, result, ...args]]) => {
    return [name, koffi.decode(addresses[index], koffi.proto(result, args))];
  });
  return Object.fromEntries(entries);
}

function memoryOf(koffi: Koffi): Memory {
  return {
    address(array) {
      // Small arrays live in V8's movable heap until their buffer is asked for.
      void array.buffer;
      return koffi.address(array);
    },
    string: (at) => koffi.decode.string(at),
    read(at, into) {
      if (into.byteLength > 0) into.set(new Uint8Array(koffi.view(at, into.byteLength)));
    },
  };
}

/** The text of a failed call, with its status released; undefined for success. */
export function failureOf(api: OrtApi, status: Pointer | null): string | undefined {
  if (status === null) return undefined;
  const code = api.getErrorCode(status);
  const text = api.getErrorMessage(status);
  api.releaseStatus(status);
  return `${text} (${STATUS_CODES[code] ?? code})`;
}

/** @throws TesseraError `runtime/call` with ONNX Runtime's text when the call failed. */
export function check(api: OrtApi, status: Pointer | null): void {
  const text = failureOf(api, status);
  if (text !== undefined) throw new TesseraError({ code: 'runtime/call', message: `ONNX Runtime: ${text}` });
}

/** The pointer that a call writes into its last argument. */
export function pointerFrom(api: OrtApi, call: (slot: BigUint64Array) => Pointer | null): Pointer {
  const slot = new BigUint64Array(1);
  check(api, call(slot));
  return slot[0] as Pointer;
}

/**
 * A table of pointers for a call that outlives its caller's frame. Arrays this small would otherwise lie in V8's
 * movable heap.
 */
export function pointerTable(pointers: readonly Pointer[]): BigUint64Array {
  const table = new BigUint64Array(new ArrayBuffer(8 * pointers.length));
  table.set(pointers);
  return table;
}

/** A native object that is released exactly once. */
export interface Handle {
  readonly pointer: Pointer;
  release(): void;
}

/** Takes charge of a native object and counts it. */
export function own(ledger: Ledger, pointer: Pointer, free: (pointer: Pointer) => void): Handle {
  let live = true;
  ledger.handles(1);
  return {
    pointer,
    release() {
      if (!live) return;
      live = false;
      ledger.handles(-1);
      free(pointer);
    },
  };
}
