import { int32, type Named, type Tensor } from '../base/index.ts';
import type { Processor } from '../data/index.ts';
import { Graph, type QuantizedMatrix, tokenLogProb, type Value } from '../graph/index.ts';
import { declareInputs, modelThat, type WriterModel } from '../models/index.ts';
import { type Lora, type ParameterStore, ParameterTrace } from '../nn/index.ts';
import { compile, type Engine, type Session, Sessions } from '../runtime/index.ts';
import { StateMemory, type StateSizes, stateNames } from './state.ts';

export interface GenerationProgramOptions {
  readonly engine: Engine;
  readonly model: WriterModel;
  /** How rows become the model's inputs; as the model has it when absent. */
  readonly reader?: Processor | undefined;
  /** Read at every run, so what training does to it shows at once. */
  readonly store: ParameterStore;
  /** Adapters that the store holds beside the weights. */
  readonly lora?: Lora;
  /** Promises that the store will not change any more, so that the runtime may lay weights out as its products like them. */
  readonly fixed?: boolean;
  /** Matrices in few bits, in the place of parameters that the store then lacks. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix>;
}

/** The most bytes of weights that are laid out anew: it takes their memory again, and twice that for a moment. */
const mostFixed = 2 ** 28;

type Kind = 'decode' | 'score';

/**
 * What generation runs of one model: an executable that decodes text (prompts and single steps alike), one for every
 * further set of inputs that prompts bring, such as images, and the same for scoring. Each is built when first needed, for all sizes.
 */
export class GenerationProgram {
  readonly model: WriterModel;
  readonly processor: Processor;
  readonly #options: GenerationProgramOptions;
  readonly #sessions = new Sessions();
  #spare: Float32Array<ArrayBuffer> | undefined;

  constructor(options: GenerationProgramOptions) {
    this.#options = options;
    this.model = options.model;
    this.processor = options.reader ?? options.model.processor();
  }

  /** The executable for prompts that bring these inputs; for `ids` alone when absent. */
  async session(kind: Kind, inputs: Iterable<string> = ['ids']): Promise<Session> {
    const names = new Set(inputs);
    const key = [kind, ...[...names].sort()].join(' ');
    const { session } = await this.#sessions.get(key, async () => ({
      session: await build(this.#options, this.processor, kind, names),
    }));
    return session;
  }

  /** The feeds of a session: its parameters, and those of the values that it reads; a model may have no use for some. */
  feeds(session: Session, values: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const feeds = new Map<string, Tensor>();
    for (const { name } of session.inputs) {
      const value = values.get(name) ?? this.#options.store.tensors.get(name);
      if (value) feeds.set(name, value);
    }
    return feeds;
  }

  /** Memory for the state of `rows`, that of the one given back last where it is large enough. */
  openState(rows: number, sizes: StateSizes): StateMemory {
    const spare = this.#spare;
    this.#spare = undefined;
    return new StateMemory(this.model.writer.state, rows, sizes, spare);
  }

  giveBack(state: StateMemory): void {
    this.#spare = state.buffer;
  }

  /**
   * Images `[N, 3, H, W]` from 0 to 1 of the codes of each, by a model that draws.
   * @throws TesseraError `model/cannot`
   */
  async paint(codes: readonly (readonly number[])[]): Promise<Tensor<'float32'>> {
    const { engine } = this.#options;
    const { painter } = modelThat('painter', this.model, 'paint');
    const { session } = await this.#sessions.get('paint', async () => {
      const graph = new Graph();
      const p = new ParameterTrace(graph).root();
      const pixels = painter.paint(p, graph.input('codes', 'int32', ['N', painter.perImage]));
      return {
        session: await compile(engine, graph, new Map([['pixels', pixels]]), `paint-${this.model.architecture}`),
      };
    });
    const values = new Map<string, Tensor>([['codes', int32([codes.length, painter.perImage], codes.flat())]]);
    const outputs = await session.run(this.feeds(session, values), { fetch: ['pixels'] });
    return outputs.get('pixels') as Tensor<'float32'>;
  }

  /**
   * The codes of images, by a model that turns images into codes and paints these.
   * @param pixels `[N, 3, H, W]`, as its processor prepares them
   * @returns for each image the places of its codes in the code book, in reading order
   * @throws TesseraError `model/cannot`
   */
  async codes(pixels: Tensor): Promise<number[][]> {
    const { engine } = this.#options;
    const { quantizer, architecture } = modelThat('quantizer', this.model, 'codes');
    const images = pixels.shape[0] as number;
    const { session } = await this.#sessions.get('codes', async () => {
      const graph = new Graph();
      const p = new ParameterTrace(graph).root();
      const shown = graph.input('pixels', 'float32', ['N', ...pixels.shape.slice(1)]);
      const codes = quantizer.nearest(p, quantizer.latents(p, shown).rows);
      return { session: await compile(engine, graph, new Map([['codes', codes]]), `codes-${architecture}`) };
    });
    const feeds = this.feeds(session, new Map<string, Tensor>([['pixels', pixels]]));
    const found = Array.from((await session.run(feeds, { fetch: ['codes'] })).get('codes')?.data ?? [], Number);
    const each = found.length / images;
    return Array.from({ length: images }, (_, i) => found.slice(i * each, (i + 1) * each));
  }

  async dispose(): Promise<void> {
    this.#spare = undefined;
    await this.#sessions.dispose();
  }
}

function build(
  options: GenerationProgramOptions,
  processor: Processor,
  kind: Kind,
  names: ReadonlySet<string>,
): Promise<Session> {
  const graph = new Graph();
  const { lora, quantized } = options;
  const textAlone = names.size === 1 && names.has('ids');
  const held = kind === 'decode' && textAlone ? fixedWeights(options) : undefined;
  const trace = new ParameterTrace(graph, { lora, quantized, held });
  const inputs = declareInputs(graph, processor.inputs, names);
  const trunk = { graph, trace, model: options.model, inputs };
  const outputs = kind === 'decode' ? traceDecode(trunk) : traceScore(trunk);
  const name = `${kind}-${options.model.architecture}${textAlone ? '' : '-media'}`;
  return compile(options.engine, graph, outputs, name);
}

/**
 * The weights that a step of decoding takes as constants: products of few rows are then up to twice as fast. Prompts with
 * images and scoring have many rows and gain little.
 */
function fixedWeights({ store, fixed, quantized }: GenerationProgramOptions): ParameterStore['tensors'] | undefined {
  const bytes = [...store.tensors.values()].reduce((n, { data }) => n + data.byteLength, 0);
  return fixed && !quantized && bytes <= mostFixed ? store.tensors : undefined;
}

interface Trunk {
  readonly graph: Graph;
  readonly trace: ParameterTrace;
  readonly model: WriterModel;
  readonly inputs: Named<Value>;
}

/** Logits `[B, V]` at the flat rows `lastRows [B]`, and the state with the tokens added. */
function traceDecode({ graph, trace, model, inputs }: Trunk): Map<string, Value> {
  const { writer } = model;
  const rows = graph.input('lastRows', 'int32', ['B']);
  const past = Object.entries(writer.state).map(([name, shape]) => [
    name,
    graph.input(stateNames.past(name), 'float32', shape),
  ]);
  const { hidden, state } = writer.hidden(trace.root(), inputs, {
    rows,
    state: {
      values: Object.fromEntries(past),
      lastPosition: graph.input('lastPosition', 'int32', ['B']),
      total: graph.input('total', 'int32', []),
    },
  });
  const outputs = new Map([['logits', writer.head(trace.root(), hidden)]]);
  for (const [name, value] of Object.entries(state)) outputs.set(stateNames.present(name), value);
  return outputs;
}

/** Log-probabilities `[K]` of `targetIds [K]` at the flat rows `targetRows [K]`. */
function traceScore({ graph, trace, model: { writer }, inputs }: Trunk): Map<string, Value> {
  const rows = graph.input('targetRows', 'int32', ['K']);
  const { hidden } = writer.hidden(trace.root(), inputs, { rows });
  const logits = writer.head(trace.root(), hidden);
  return new Map([['logProbs', tokenLogProb(logits, graph.input('targetIds', 'int32', ['K']))]]);
}
