import type { Tensor } from '../base/index.ts';
import { Graph, type QuantizedMatrix, tokenLogProb, type Value } from '../graph/index.ts';
import { type CausalModel, pictureInputs, tokenInput } from '../models/index.ts';
import { type Lora, type ParameterStore, ParameterTrace } from '../nn/index.ts';
import { compile, type Engine, type Session, Sessions } from '../runtime/index.ts';
import { cacheNames, KeyValueCache } from './cache.ts';
import type { PictureSize } from './prompt.ts';

export interface GenerationProgramOptions {
  readonly engine: Engine;
  readonly model: CausalModel;
  /** Read at every run, so what training does to it shows at once. */
  readonly store: ParameterStore;
  /** Adapters that the store holds beside the weights. */
  readonly lora?: Lora;
  /** Promises that the store will not change any more, so that the runtime may lay weights out as its products like them. */
  readonly fixed?: boolean;
  /** Matrices in few bits, in the place of parameters that the store then lacks. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix>;
}

/** The most bytes of weights that are laid out anew: it takes their memory again, and several times that for a moment. */
const mostFixed = 2 ** 30;

type Kind = 'decode' | 'score';

/**
 * What generation runs of one model: an executable that decodes text (prompts and single steps alike), one that reads
 * prompts with pictures, and the same two for scoring. Each is built when first needed, for all sizes.
 */
export class GenerationProgram {
  readonly model: CausalModel;
  readonly #options: GenerationProgramOptions;
  readonly #sessions = new Sessions();
  #spare: Float32Array<ArrayBuffer> | undefined;

  constructor(options: GenerationProgramOptions) {
    this.#options = options;
    this.model = options.model;
  }

  /** The executable for prompts with pictures of this size, or without. */
  async session(kind: Kind, pictures?: PictureSize): Promise<Session> {
    const key = pictures ? `${kind} ${pictures.height}x${pictures.width}/${pictures.rows}` : kind;
    const { session } = await this.#sessions.get(key, async () => ({
      session: await build(this.#options, kind, pictures),
    }));
    return session;
  }

  /** The feeds of a session: the values given, and its parameters. */
  feeds(session: Session, values: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const feeds = new Map(values);
    for (const { name } of session.inputs) {
      const parameter = this.#options.store.tensors.get(name);
      if (parameter && !feeds.has(name)) feeds.set(name, parameter);
    }
    return feeds;
  }

  /** A cache, in the memory of the one given back last where that is enough. */
  openCache(rows: number, capacity: number): KeyValueCache {
    const size = KeyValueCache.size(this.model.cache, rows, capacity);
    const spare = this.#spare;
    if (spare) this.#spare = undefined;
    const buffer = spare && spare.length >= size ? spare : new Float32Array(size);
    return new KeyValueCache(this.model.cache, rows, capacity, buffer);
  }

  giveBack(cache: KeyValueCache): void {
    this.#spare = cache.buffer;
  }

  async dispose(): Promise<void> {
    this.#spare = undefined;
    await this.#sessions.dispose();
  }
}

function build(options: GenerationProgramOptions, kind: Kind, pictures?: PictureSize): Promise<Session> {
  const graph = new Graph();
  const { lora, quantized } = options;
  const held = kind === 'decode' && !pictures ? fixedWeights(options) : undefined;
  const trace = new ParameterTrace(graph, { lora, quantized, held });
  const inputs = { ids: tokenInput(graph), ...(pictures && pictureInputs(graph, pictures)) };
  const trunk = { graph, trace, model: options.model, inputs };
  const outputs = kind === 'decode' ? traceDecode(trunk) : traceScore(trunk);
  const name = `${kind}-${options.model.architecture}${pictures ? '-pictures' : ''}`;
  return compile(options.engine, graph, outputs, name);
}

/**
 * The weights that a step of decoding takes as constants: products of few rows are then up to twice as fast. Prompts with
 * pictures and scoring have many rows and gain little.
 */
function fixedWeights({ store, fixed, quantized }: GenerationProgramOptions): ParameterStore['tensors'] | undefined {
  const bytes = [...store.tensors.values()].reduce((n, { data }) => n + data.byteLength, 0);
  return fixed && !quantized && bytes <= mostFixed ? store.tensors : undefined;
}

interface Trunk {
  readonly graph: Graph;
  readonly trace: ParameterTrace;
  readonly model: CausalModel;
  readonly inputs: Parameters<CausalModel['hidden']>[1];
}

/** Logits `[B, V]` at the flat rows `lastRows [B]`, and the cache with the tokens added. */
function traceDecode({ graph, trace, model, inputs }: Trunk): Map<string, Value> {
  const { layers, kvHeads, headSize } = model.cache;
  const past = (part: 'key' | 'value') =>
    Array.from({ length: layers }, (_, i) =>
      graph.input(cacheNames.past(part, i), 'float32', ['B', kvHeads, 'C', headSize]),
    );
  const rows = graph.input('lastRows', 'int32', ['B']);
  const { hidden, cache } = model.hidden(
    trace.root(),
    { ...inputs, rows },
    {
      keys: past('key'),
      values: past('value'),
      lastPosition: graph.input('lastPosition', 'int32', ['B']),
      total: graph.input('total', 'int32', []),
    },
  );
  const outputs = new Map([['logits', model.head(trace.root(), hidden)]]);
  for (const [i, key] of cache.keys.entries()) outputs.set(cacheNames.present('key', i), key);
  for (const [i, value] of cache.values.entries()) outputs.set(cacheNames.present('value', i), value);
  return outputs;
}

/** Log-probabilities `[K]` of `targetIds [K]` at the flat rows `targetRows [K]`. */
function traceScore({ graph, trace, model, inputs }: Trunk): Map<string, Value> {
  const rows = graph.input('targetRows', 'int32', ['K']);
  const { hidden } = model.hidden(trace.root(), { ...inputs, rows });
  const logits = model.head(trace.root(), hidden);
  return new Map([['logProbs', tokenLogProb(logits, graph.input('targetIds', 'int32', ['K']))]]);
}
