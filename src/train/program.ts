import { type Tensor, TesseraError } from '../base/index.ts';
import { Graph, gradients, mul, tokenLogProb, type Value } from '../graph/index.ts';
import {
  type CausalModel,
  type ContrastiveModel,
  type Model,
  pairInputs,
  pictureInputs,
  tokenInput,
} from '../models/index.ts';
import { type Lora, type ParameterStore, ParameterTrace } from '../nn/index.ts';
import { contrastive, languageModeling } from '../objectives/index.ts';
import { compile, type Engine, type Session, Sessions } from '../runtime/index.ts';
import type { Batch } from './batch.ts';
import type { GradientBuffer } from './gradients.ts';

export type ObjectiveName = 'lm' | 'contrastive';

/** What decides the graph of a program. */
export interface TraceOptions {
  readonly model: Model;
  readonly objective: ObjectiveName;
  readonly lora?: Lora;
  /** Keep no insides of layers for the reverse sweep: less memory, a third more time, the same gradients. */
  readonly recompute?: boolean;
  /** Paths of the trainable parameters; absent for a program that only evaluates. */
  readonly trained?: readonly string[];
}

export interface ProgramOptions extends TraceOptions {
  readonly engine: Engine;
  /** Threads of its sessions, which runs at the same time share; the engine's by default. */
  readonly threads?: number;
  readonly store: ParameterStore;
}

/** Loss and gradients of one objective on one model: executables for each kind of batch, built when first needed. */
export class LossProgram {
  readonly #options: ProgramOptions;
  readonly #variants = new Sessions<Variant>();

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /**
   * The loss of a batch, its terms multiplied by `scale`; its gradients are written `into` a buffer of all that is
   * trained. A program that trains with dropout also wants the feed `dropoutSeed`.
   */
  async run(batch: Batch, scale: number, { into, signal }: LossRun = {}): Promise<number> {
    const key = [...batch.feeds.keys()].sort().join(' ');
    const { session, reached } = await this.#variants.get(key, () => buildVariant(this.#options, batch));
    const feeds = new Map<string, Tensor>();
    const values = new Map([
      ...batch.feeds,
      ['scale', { dtype: 'float32', shape: [], data: Float32Array.of(scale) } as Tensor],
    ]);
    for (const { name } of session.inputs) {
      const value = values.get(name) ?? this.#options.store.tensors.get(name);
      if (value) feeds.set(name, value);
    }
    const targets = new Map<string, Tensor>();
    for (const [path, gradient] of into?.tensors ?? []) {
      if (reached.has(path)) targets.set(`gradient.${path}`, gradient);
      else gradient.data.fill(0);
    }
    const outputs = await session.run(feeds, { into: targets, fetch: ['loss'], ...(signal && { signal }) });
    return (outputs.get('loss') as Tensor<'float32'>).data[0] as number;
  }

  dispose(): Promise<void> {
    return this.#variants.dispose();
  }
}

export interface LossRun {
  readonly into?: GradientBuffer;
  readonly signal?: AbortSignal;
}

interface Variant {
  readonly session: Session;
  /** Trainable parameters that the loss of this kind of batch depends on. */
  readonly reached: ReadonlySet<string>;
}

async function buildVariant(options: ProgramOptions, batch: Batch): Promise<Variant> {
  const { engine, objective, model, threads } = options;
  const { graph, outputs, reached } = traceProgram(options, batch.feeds.keys());
  const name = `${objective}-${model.architecture}`;
  const session = await compile(engine, graph, outputs, name, threads === undefined ? {} : { threads });
  return { session, reached };
}

interface Traced {
  readonly graph: Graph;
  /** `loss`, and `gradient.<path>` for every trainable parameter that this kind of batch reaches. */
  readonly outputs: ReadonlyMap<string, Value>;
  readonly reached: ReadonlySet<string>;
}

/** The graph of loss and gradients for batches with these feeds. */
export function traceProgram(options: TraceOptions, feeds: Iterable<string>): Traced {
  const graph = new Graph({ recompute: options.recompute ?? false });
  // Only a program that trains drops anything out.
  const drops = options.trained && options.lora?.dropout;
  const dropoutSeed = drops && graph.input('dropoutSeed', 'int32', []);
  const trace = new ParameterTrace(graph, { lora: options.lora, dropoutSeed });
  const loss = traceLoss(graph, trace, options, new Set(feeds));
  const wanted = (options.trained ?? []).filter((path) => trace.values.has(path));
  const found = gradients(
    loss,
    wanted.map((path) => trace.values.get(path) as Value),
  );
  const outputs = new Map<string, Value>([['loss', loss]]);
  const reached = new Set<string>();
  wanted.forEach((path, i) => {
    const gradient = found[i];
    if (!gradient) return;
    outputs.set(`gradient.${path}`, gradient);
    reached.add(path);
  });
  return { graph, outputs, reached };
}

function traceLoss(graph: Graph, trace: ParameterTrace, options: TraceOptions, feeds: ReadonlySet<string>): Value {
  const { model, objective } = options;
  if (objective === 'lm' && model.kind === 'causal') return traceLm(graph, trace, model, feeds);
  if (objective === 'contrastive' && model.kind === 'contrastive') return traceContrastive(graph, trace, model);
  throw new TesseraError({
    code: 'train/objective',
    message: 'the objective does not fit the model',
    expected: 'lm on a causal model, or contrastive on a contrastive one',
    got: `${objective} on ${model.architecture} (${model.kind})`,
  });
}

function traceLm(graph: Graph, trace: ParameterTrace, model: CausalModel, feeds: ReadonlySet<string>): Value {
  const p = trace.root();
  // The head and the last layer are computed at supervised rows alone.
  const { hidden } = model.hidden(p, {
    ids: tokenInput(graph),
    rows: graph.input('targetRows', 'int32', ['K']),
    ...(feeds.has('pixels') && model.picture && pictureInputs(graph, model.picture)),
  });
  const logProbs = tokenLogProb(model.head(p, hidden), graph.input('targetIds', 'int32', ['K']));
  return graph.within('loss', () => languageModeling(logProbs, graph.input('scale', 'float32', [])));
}

function traceContrastive(graph: Graph, trace: ParameterTrace, model: ContrastiveModel): Value {
  const { image, text, logitScale } = model.towers(trace.root(), pairInputs(graph, model.picture, 'B'));
  const scale = graph.input('scale', 'float32', []);
  return graph.within('loss', () => mul(contrastive(image, text, logitScale), scale));
}
