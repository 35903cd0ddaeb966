import { int32, type Named, type Tensor } from '../base/index.ts';
import { collate, type Processor, type Sequence } from '../data/index.ts';
import { Graph, gather, type Value } from '../graph/index.ts';
import { declareInputs } from '../models/index.ts';
import { type ParameterStore, ParameterTrace, type Scope } from '../nn/index.ts';
import { bestQuery } from '../objectives/index.ts';
import { compile, type Engine, type Session, Sessions } from '../runtime/index.ts';
import type { Comparing } from './comparing.ts';

export interface RetrievalProgramOptions {
  readonly engine: Engine;
  readonly comparing: Comparing;
  /** How images become the model's inputs. */
  readonly images: Processor;
  readonly store: ParameterStore;
}

/** What a session computes, from the model's place for parameters and the graph that it is traced on. */
type Traced = (p: Scope, graph: Graph) => Named<Value>;

/** What retrieval runs of one model. Each executable is built when first needed, for all sizes. */
export class RetrievalProgram {
  readonly #options: RetrievalProgramOptions;
  readonly #sessions = new Sessions();
  /** The inputs that images bring. */
  readonly #imageInputs: ReadonlySet<string>;

  constructor(options: RetrievalProgramOptions) {
    this.#options = options;
    const { inputs } = options.images;
    this.#imageInputs = new Set(Object.keys(inputs).filter((name) => inputs[name]?.join === 'flat'));
  }

  /** Unit vectors `[B, E]` of texts. */
  async texts(texts: readonly Sequence[]): Promise<Tensor> {
    const { comparing } = this.#options;
    const feeds = collate(texts, comparing.texts, 0);
    const traced: Traced = (p, graph) => ({
      vectors: comparing.text(p, declareInputs(graph, comparing.texts.inputs, new Set(feeds.keys()))),
    });
    return this.#run('texts', feeds, traced, 'vectors');
  }

  /** Cosines `[N, M]` of images with texts, each of the image's best vector. @param vectors of the texts, `[M, E]` */
  async similarities(images: ReadonlyMap<string, Tensor>, vectors: Tensor): Promise<Tensor> {
    const { comparing } = this.#options;
    const traced: Traced = (p, graph) => {
      const own = comparing.image(p, this.#declareImages(graph));
      const texts = graph.input('texts', 'float32', ['M', own.shape[2] as number]);
      return { similarity: p.build(() => bestQuery(own, texts)) };
    };
    return this.#run('similarities', new Map([...images, ['texts', vectors]]), traced, 'similarity');
  }

  /** What the matching head looks at of each image, `[N, P, D]`. */
  async features(images: ReadonlyMap<string, Tensor>): Promise<Tensor> {
    const { matching } = this.#options.comparing as Required<Comparing>;
    const traced: Traced = (p, graph) => ({ features: matching.features(p, this.#declareImages(graph)) });
    return this.#run('features', images, traced, 'features');
  }

  /** Logits `[B, 2]` of no and yes: whether text b belongs to the image at the place b of `features`. */
  async match(features: Tensor, places: readonly number[], texts: readonly Sequence[]): Promise<Tensor> {
    const { texts: reader, matching } = this.#options.comparing as Required<Comparing>;
    const read = collate(texts, reader, 0);
    const traced: Traced = (p, graph) => {
      const x = declareInputs(graph, reader.inputs, new Set(read.keys()));
      const [, rows, width] = features.shape as [number, number, number];
      const all = graph.input('features', 'float32', ['N', rows, width]);
      const beside = p.build(() => gather(all, graph.input('places', 'int32', ['B'])));
      return { logits: matching.match(p, beside, x) };
    };
    const feeds = new Map([...read, ['features', features], ['places', int32([places.length], places)]] as const);
    return this.#run('match', feeds, traced, 'logits');
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #declareImages(graph: Graph): Named<Value> {
    return declareInputs(graph, this.#options.images.inputs, this.#imageInputs);
  }

  async #run(key: string, values: ReadonlyMap<string, Tensor>, traced: Traced, output: string): Promise<Tensor> {
    const { engine, store } = this.#options;
    const { session } = await this.#sessions.get(key, async () => {
      const graph = new Graph();
      const outputs = traced(new ParameterTrace(graph).root(), graph);
      return { session: await compile(engine, graph, new Map(Object.entries(outputs)), `retrieve-${key}`) };
    });
    const outputs = await session.run(feedsOf(session, values, store));
    return outputs.get(output) as Tensor;
  }
}

function feedsOf(session: Session, values: ReadonlyMap<string, Tensor>, store: ParameterStore): Map<string, Tensor> {
  const feeds = session.inputs.map(({ name }) => [name, values.get(name) ?? store.tensors.get(name)] as const);
  return new Map(feeds.filter((feed): feed is [string, Tensor] => feed[1] !== undefined));
}
