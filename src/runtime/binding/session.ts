import {
  bytesOf,
  type DType,
  dtypeInfo,
  formatShape,
  type HostArray,
  sameShape,
  type Tensor,
  TesseraError,
} from '../../base/index.ts';
import { boundRun } from '../bound-run.ts';
import { checkRun, wantedOutputs } from '../check.ts';
import type { BoundRun, Port, RunOptions, Session } from '../engine.ts';
import { checkSignal, disposed, runFailed } from '../faults.ts';
import type { Ledger } from '../ledger.ts';
import type { Ort, OrtSession, OrtTensor } from './ort.ts';

type Tensors = ReadonlyMap<string, Tensor>;

/** A session of the npm binding. */
export class BindingSession implements Session {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly #ort: Ort;
  readonly #ledger: Ledger;
  readonly #inner: OrtSession;
  readonly #modelBytes: number;
  #running = 0;
  #disposed = false;

  constructor(ort: Ort, ledger: Ledger, inner: OrtSession, name: string, modelBytes: number) {
    this.name = name;
    this.#ort = ort;
    this.#ledger = ledger;
    this.#inner = inner;
    this.#modelBytes = modelBytes;
    this.inputs = inner.inputMetadata.map(portOf);
    this.outputs = inner.outputMetadata.map(portOf);
    ledger.sessionOpened(modelBytes);
  }

  /** The binding cannot stop a run that has started: the signal counts until then. */
  async run(feeds: Tensors, options: RunOptions = {}): Promise<Map<string, Tensor>> {
    if (this.#disposed) throw disposed(this.name);
    checkRun(this, feeds, options);
    const wanted = wantedOutputs(this, options).map(({ name }) => name);
    this.#running++;
    try {
      // The binding blocks; a turn of the event loop lets an abort that is already due arrive first.
      await nextTurn();
      checkSignal(options.signal, this.name);
      const results = await this.#call(feeds, wanted);
      return new Map(wanted.map((name) => [name, this.#take(results, name, options.into?.get(name))]));
    } finally {
      this.#running--;
      this.#releaseWhenIdle();
    }
  }

  bind(feeds: Tensors, into: Tensors): BoundRun {
    if (this.#disposed) throw disposed(this.name);
    const fixed = { feeds: new Map(feeds), into: new Map(into) };
    const options = { into: fixed.into, fetch: [] };
    checkRun(this, fixed.feeds, options);
    return boundRun(this.name, fixed.feeds, fixed.into, {
      run: async (signal) => void (await this.run(fixed.feeds, { ...options, ...(signal && { signal }) })),
      release: () => {},
    });
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#releaseWhenIdle();
  }

  async #call(feeds: Tensors, wanted: readonly string[]): Promise<Readonly<Record<string, OrtTensor>>> {
    const inputs: Record<string, OrtTensor> = {};
    for (const [name, tensor] of feeds) inputs[name] = toOrt(this.#ort, tensor);
    this.#ledger.ran();
    try {
      return (await this.#inner.run(inputs, [...wanted])) as Record<string, OrtTensor>;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw runFailed(this.name, text, error);
    }
  }

  #take(results: Readonly<Record<string, OrtTensor>>, name: string, target: Tensor | undefined): Tensor {
    const result = results[name] as OrtTensor;
    const data = result.data as HostArray;
    this.#ledger.copied(data.byteLength);
    const dtype = result.type as DType;
    const { array } = dtypeInfo[dtype];
    if (!target) {
      // Newer Node versions hand out halves as Float16Array; tessera keeps their bits.
      const bits = data instanceof array ? data : new array(data.buffer, data.byteOffset, data.length);
      return { dtype, shape: [...result.dims], data: bits };
    }
    if (!sameShape(target.shape, result.dims)) {
      throw runFailed(this.name, `output ${name} is ${formatShape(result.dims)}, not ${formatShape(target.shape)}`);
    }
    bytesOf(target.data).set(bytesOf(data));
    this.#ledger.copied(data.byteLength);
    return target;
  }

  #releaseWhenIdle(): void {
    if (!this.#disposed || this.#running > 0) return;
    this.#ledger.sessionClosed(this.#modelBytes);
    void this.#inner.release();
  }
}

/** Browsers have no `setImmediate`. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => ('setImmediate' in globalThis ? setImmediate(resolve) : setTimeout(resolve)));
}

/** The binding builds no session that has bfloat16 inputs, so none arrive here. */
function toOrt(ort: Ort, { dtype, data, shape }: Tensor): OrtTensor {
  return new ort.Tensor(dtype as Exclude<DType, 'bfloat16'>, data, shape);
}

function portOf(meta: OrtSession['inputMetadata'][number]): Port {
  if (meta.isTensor && meta.type in dtypeInfo) {
    return { name: meta.name, dtype: meta.type as DType, shape: meta.shape.map((dim) => (dim === '' ? '?' : dim)) };
  }
  throw new TesseraError({
    code: 'runtime/port',
    message: 'an input or output has a type that tessera does not know',
    path: meta.name,
    expected: `a tensor of ${Object.keys(dtypeInfo).join(', ')}`,
    got: meta.isTensor ? meta.type : 'no tensor',
  });
}
