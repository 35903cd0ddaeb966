import { type Tensor, zeros } from '../../base/index.ts';
import { boundRun } from '../bound-run.ts';
import { checkRun, knownShape, wantedOutputs } from '../check.ts';
import type { BoundRun, Port, RunOptions, Session } from '../engine.ts';
import { cancelled, checkSignal, disposed, runFailed } from '../faults.ts';
import type { Ledger } from '../ledger.ts';
import { type Call, prepareCall } from './call.ts';
import { readPorts } from './describe.ts';
import type { Pointer } from './functions.ts';
import { failureOf, type Handle, type Native, own, pointerFrom } from './native.ts';

type Tensors = ReadonlyMap<string, Tensor>;

/** A session of the C API. Native memory lives from the constructor to `dispose` and the end of the last run. */
export class NativeSession implements Session {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly #native: Native;
  readonly #ledger: Ledger;
  readonly #session: Handle;
  readonly #modelBytes: number;
  readonly #names: NameTable;
  readonly #boundCalls = new Set<Call>();
  #users = 0;
  #disposed = false;

  /** Takes charge of a session pointer. */
  constructor(native: Native, ledger: Ledger, pointer: Pointer, name: string, modelBytes: number) {
    this.name = name;
    this.#native = native;
    this.#ledger = ledger;
    this.#modelBytes = modelBytes;
    this.#session = own(ledger, pointer, native.api.releaseSession);
    try {
      this.inputs = readPorts(native, ledger, pointer, 'inputs');
      this.outputs = readPorts(native, ledger, pointer, 'outputs');
    } catch (error) {
      this.#session.release();
      throw error;
    }
    this.#names = nameTable(native, [...this.inputs, ...this.outputs]);
    ledger.sessionOpened(modelBytes);
  }

  async run(feeds: Tensors, options: RunOptions = {}): Promise<Map<string, Tensor>> {
    const call = this.#prepare(feeds, options);
    return this.#whileInUse(async () => {
      try {
        await this.#runAside(call, options.signal);
        return call.collect();
      } finally {
        call.release();
      }
    });
  }

  bind(feeds: Tensors, into: Tensors): BoundRun {
    const fixed = { feeds: new Map(feeds), into: new Map(into) };
    const call = this.#prepare(fixed.feeds, { into: fixed.into, fetch: [] });
    this.#boundCalls.add(call);
    return boundRun(this.name, fixed.feeds, fixed.into, {
      run: (signal) => this.#whileInUse(() => this.#runAside(call, signal)),
      release: () => {
        this.#boundCalls.delete(call);
        call.release();
      },
    });
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#releaseWhenIdle();
  }

  #prepare(feeds: Tensors, options: RunOptions): Call {
    if (this.#disposed) throw disposed(this.name);
    const sizes = checkRun(this, feeds, options);
    checkSignal(options.signal, this.name);
    const targets = new Map<string, Tensor | undefined>();
    for (const { name, dtype, shape } of wantedOutputs(this, options)) {
      // An array made beforehand spares the copy out of ONNX Runtime's memory.
      const made = () => {
        const known = knownShape(shape, sizes);
        return known && zeros(dtype, known);
      };
      targets.set(name, options.into?.get(name) ?? made());
    }
    return prepareCall(this.#native, this.#ledger, this.#names.addresses, feeds, targets);
  }

  #arguments(call: Call, options: Pointer | null) {
    const { inputNames, inputs, outputNames, outputs } = call;
    const session = this.#session.pointer;
    return [session, options, inputNames, inputs, inputs.length, outputNames, outputs.length, outputs] as const;
  }

  /** Runs on another thread. */
  async #runAside(call: Call, signal: AbortSignal | undefined): Promise<void> {
    const { api } = this.#native;
    const stop = signal ? stopper(this.#native, this.#ledger, signal) : undefined;
    this.#ledger.ran();
    try {
      const status = await new Promise<Pointer | null>((resolve, reject) => {
        api.run.async(...this.#arguments(call, stop?.options ?? null), (error, result) =>
          error ? reject(error) : resolve(result),
        );
      });
      const text = failureOf(api, status);
      if (text !== undefined) throw signal?.aborted ? cancelled(this.name, signal) : runFailed(this.name, text);
    } finally {
      stop?.release();
    }
  }

  /** Puts off the end of a disposed session until the work is done. */
  async #whileInUse<T>(work: () => Promise<T>): Promise<T> {
    if (this.#disposed) throw disposed(this.name);
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      this.#releaseWhenIdle();
    }
  }

  #releaseWhenIdle(): void {
    if (!this.#disposed || this.#users > 0) return;
    for (const call of this.#boundCalls) call.release();
    this.#boundCalls.clear();
    this.#session.release();
    this.#ledger.sessionClosed(this.#modelBytes);
  }
}

interface NameTable {
  readonly addresses: ReadonlyMap<string, Pointer>;
  /** Holds the text that the addresses point to. */
  readonly text: Uint8Array;
}

/** Names as C strings, written once for all runs. */
function nameTable(native: Native, ports: readonly Port[]): NameTable {
  const starts = new Map<string, number>();
  let joined = '';
  for (const { name } of ports) {
    starts.set(name, Buffer.byteLength(joined));
    joined += `${name}\0`;
  }
  const text = new TextEncoder().encode(joined);
  const base = native.memory.address(text);
  return { addresses: new Map([...starts].map(([name, start]) => [name, base + BigInt(start)])), text };
}

/** Run options through which a signal stops a run. */
function stopper(native: Native, ledger: Ledger, signal: AbortSignal): { options: Pointer; release(): void } {
  const { api } = native;
  const options = own(
    ledger,
    pointerFrom(api, (slot) => api.createRunOptions(slot)),
    api.releaseRunOptions,
  );
  const stop = () => void failureOf(api, api.runOptionsSetTerminate(options.pointer));
  signal.addEventListener('abort', stop, { once: true });
  return {
    options: options.pointer,
    release() {
      signal.removeEventListener('abort', stop);
      options.release();
    },
  };
}
