import { float32, type Named, type Tensor } from '../base/index.ts';
import type { Processor } from '../data/index.ts';
import { Graph, gradients, type Value } from '../graph/index.ts';
import { declareInputs, type Model } from '../models/index.ts';
import { type Lora, type ParameterSpec, type ParameterStore, ParameterTrace } from '../nn/index.ts';
import { compile, type Engine, type Session, Sessions } from '../runtime/index.ts';
import type { Batch } from './batch.ts';
import type { GradientBuffer } from './gradients.ts';
import type { Before, Objective, Trace, Unit, Units } from './objective.ts';

/** What decides the graph of a program. */
export interface TraceOptions {
  readonly model: Model;
  /** How rows become the model's inputs; as the model has it when absent. */
  readonly reader?: Processor | undefined;
  readonly objective: Objective;
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
  /** What the stage began with, where the objective compares with it; without adapters when absent. */
  readonly reference?: ParameterStore | undefined;
}

/** Loss and gradients of one objective on one model: executables for each kind of batch, built when first needed. */
export class LossProgram {
  readonly #options: ProgramOptions;
  readonly #variants = new Sessions<Variant>();

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /**
   * The loss of a batch and its metrics, every term divided by its number in `totals`; its gradients are written `into` a
   * buffer of all that is trained. A program that trains with dropout also wants the feed `dropoutSeed`.
   */
  async run(given: Batch, totals: Units, { into, signal }: LossRun = {}): Promise<BatchLoss> {
    const batch = await this.#prepared(given, signal);
    const key = [...batch.feeds.keys()].sort().join(' ');
    const { session, reached, metrics, seen } = await this.#variants.get(key, () => buildVariant(this.#options, batch));
    const feeds = feedsOf(session, batch, this.#options.store, totals);
    const targets = new Map<string, Tensor>();
    for (const [path, gradient] of into?.tensors ?? []) {
      if (reached.has(path)) targets.set(`gradient.${path}`, gradient);
      else gradient.data.fill(0);
    }
    // Only a step of training is followed by anything.
    const kept = into ? seen : [];
    const fetch = ['loss', ...metrics.map(metricOutput), ...kept.map(seenOutput)];
    const outputs = await session.run(feeds, { into: targets, fetch, ...(signal && { signal }) });
    const scalar = (name: string) => (outputs.get(name) as Tensor<'float32'>).data[0] as number;
    return {
      loss: scalar('loss'),
      metrics: Object.fromEntries(metrics.map((name) => [name, scalar(metricOutput(name))])),
      seen: [Object.fromEntries(kept.map((name) => [name, outputs.get(seenOutput(name)) as Tensor]))],
    };
  }

  /** The batch with what the objective's runs before the step give, as far as it does not hold it. */
  async #prepared(batch: Batch, signal: AbortSignal | undefined): Promise<Batch> {
    let feeds = batch.feeds;
    for (const [i, before] of (this.#options.objective.before ?? []).entries()) {
      if (before.kept && batch.feeds.has(before.kept.feed)) continue;
      feeds = new Map([...feeds, ...(await this.runBefore(i, batch, signal))]);
    }
    return { ...batch, feeds };
  }

  /** What one of the objective's runs before the step gives of a batch. @param i its place among them */
  async runBefore(i: number, batch: Batch, signal?: AbortSignal): Promise<ReadonlyMap<string, Tensor>> {
    const before = this.#options.objective.before?.[i] as Before;
    const key = [`before ${i}`, ...[...batch.feeds.keys()].sort()].join(' ');
    const { session, reached } = await this.#variants.get(key, () => buildBefore(this.#options, before, batch));
    const store = (before.weights === 'reference' && this.#options.reference) || this.#options.store;
    return session.run(feedsOf(session, batch, store), { fetch: [...reached], ...(signal && { signal }) });
  }

  dispose(): Promise<void> {
    return this.#variants.dispose();
  }
}

/** What a batch adds to the loss and the metrics of its step. */
export interface BatchLoss {
  readonly loss: number;
  readonly metrics: Named<number>;
  /** What its objective has use for after the step, of each batch. */
  readonly seen: readonly Named<Tensor>[];
}

export interface LossRun {
  readonly into?: GradientBuffer;
  readonly signal?: AbortSignal;
}

interface Variant {
  readonly session: Session;
  /** Trainable parameters that the loss of this kind of batch depends on; of a run before the step, its outputs. */
  readonly reached: ReadonlySet<string>;
  readonly metrics: readonly string[];
  readonly seen: readonly string[];
}

const metricOutput = (name: string) => `metric.${name}`;
const seenOutput = (name: string) => `seen.${name}`;
const shareInput = (of: Unit) => `share.${of}`;

function feedsOf(session: Session, batch: Batch, store: ParameterStore, totals?: Units): Map<string, Tensor> {
  const shares = Object.entries(totals ?? {}).map(
    ([of, total]) => [shareInput(of as Unit), float32([], [1 / total])] as const,
  );
  const values = new Map<string, Tensor>([...batch.feeds, ...shares]);
  const feeds = new Map<string, Tensor>();
  for (const { name } of session.inputs) {
    const value = values.get(name) ?? store.tensors.get(name);
    if (value) feeds.set(name, value);
  }
  return feeds;
}

async function buildVariant(options: ProgramOptions, batch: Batch): Promise<Variant> {
  const { engine, objective, model, threads } = options;
  const { graph, outputs, reached, metrics, seen } = traceProgram(options, batch.feeds.keys());
  const name = `${objective.name}-${model.architecture}`;
  const session = await compile(engine, graph, outputs, name, threads === undefined ? {} : { threads });
  return { session, reached, metrics, seen };
}

async function buildBefore(options: ProgramOptions, before: Before, batch: Batch): Promise<Variant> {
  const { engine, objective, model, threads, lora, reference } = options;
  const graph = new Graph();
  // The weights that a stage with adapters began with are those without them.
  const adapters = before.weights === 'own' || reference ? lora : undefined;
  const trace = new ParameterTrace(graph, { lora: adapters });
  const outputs = new Map(Object.entries(before.trace(traceOf(options, trace, new Set(batch.feeds.keys())))));
  const name = `before-${objective.name}-${model.architecture}`;
  const session = await compile(engine, graph, outputs, name, threads === undefined ? {} : { threads });
  return { session, reached: new Set(outputs.keys()), metrics: [], seen: [] };
}

interface Traced {
  readonly graph: Graph;
  readonly metrics: readonly string[];
  readonly seen: readonly string[];
  /** `loss`, `metric.<name>`, `seen.<name>` in training, and `gradient.<path>` for every trainable parameter that this kind of batch reaches. */
  readonly outputs: ReadonlyMap<string, Value>;
  readonly reached: ReadonlySet<string>;
  /** Every parameter that the loss asked for. */
  readonly specs: ReadonlyMap<string, ParameterSpec>;
}

/** The graph of loss and gradients for batches with these feeds. */
export function traceProgram(options: TraceOptions, feeds: Iterable<string>): Traced {
  const graph = new Graph({ recompute: options.recompute ?? false });
  // Only a program that trains drops anything out.
  const drops = options.trained && options.lora?.dropout;
  const dropoutSeed = drops && graph.input('dropoutSeed', 'int32', []);
  const { openRows } = options.model;
  const trace = new ParameterTrace(graph, { lora: options.lora, dropoutSeed, openRows });
  const { loss, metrics = {}, seen = {} } = options.objective.trace(traceOf(options, trace, new Set(feeds)));
  const wanted = (options.trained ?? []).filter((path) => trace.values.has(path));
  const found = gradients(
    loss,
    wanted.map((path) => trace.values.get(path) as Value),
  );
  const outputs = new Map<string, Value>([['loss', loss]]);
  for (const [name, value] of Object.entries(metrics)) outputs.set(metricOutput(name), value);
  const kept = options.trained ? Object.entries(seen) : [];
  for (const [name, value] of kept) outputs.set(seenOutput(name), value);
  const reached = new Set<string>();
  wanted.forEach((path, i) => {
    const gradient = found[i];
    if (!gradient) return;
    outputs.set(`gradient.${path}`, gradient);
    reached.add(path);
  });
  const names = { metrics: Object.keys(metrics), seen: kept.map(([name]) => name) };
  return { graph, outputs, reached, ...names, specs: trace.specs };
}

function traceOf({ model, reader }: TraceOptions, trace: ParameterTrace, feeds: ReadonlySet<string>): Trace {
  const { graph } = trace;
  const shares = new Map<Unit, Value>();
  return {
    model,
    graph,
    p: trace.root(),
    inputs: (same) => declareInputs(graph, (reader ?? model.processor()).inputs, feeds, same),
    feed: (name, dtype, shape) => graph.input(name, dtype, shape),
    share(of) {
      const known = shares.get(of) ?? graph.input(shareInput(of), 'float32', []);
      shares.set(of, known);
      return known;
    },
  };
}
