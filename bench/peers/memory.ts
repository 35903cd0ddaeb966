// One measurement of memory in a process of its own: `memory.ts '<case as JSON>'` prints one line of JSON.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { selector, silentLog, tensor } from '../../src/base/index.ts';
import { GenerationProgram, generate } from '../../src/generate/index.ts';
import { type ConfigJson, createModel, type LoadedModel, modelThat } from '../../src/models/index.ts';
import { initializeStore, type Lora } from '../../src/nn/index.ts';
import { withFreshAdapters } from '../../src/run/lora.ts';
import { openEngine } from '../../src/runtime/index.ts';
import {
  allocateGradients,
  type BatchSource,
  exampleSizes,
  objectiveNamed,
  planMemory,
  runStage,
  StepProgram,
} from '../../src/train/index.ts';
import { exampleOf, pixelsOf, sourceOf } from './source.ts';

/** A model and its largest batch. */
export interface MemoryCase {
  readonly task: 'gradients' | 'stage' | 'steps' | 'generations' | 'sessions';
  readonly config: ConfigJson;
  readonly rows: number;
  readonly length: number;
  /** Images in each row. */
  readonly images?: number;
  readonly recompute?: boolean;
  readonly accumulate?: number;
  readonly lora?: number;
  readonly trainable?: readonly string[];
  /** How often the task is done. */
  readonly times: number;
}

const one = JSON.parse(process.argv[2] as string) as MemoryCase;
const engine = await openEngine({ threads: 2, log: silentLog });
const lora: Lora | undefined = one.lora
  ? { r: one.lora, alpha: 2 * one.lora, targets: selector(['**.layers.*.*.*_proj', '!vision_tower.**']) }
  : undefined;
const loaded = start();
const { model, store } = loaded;
const tasks = { gradients, stage, steps, generations, sessions };
process.stdout.write(`${JSON.stringify(await tasks[one.task]())}\n`);
process.exit(0);

function start(): LoadedModel {
  const base = createModel(one.config);
  initializeStore(base.store, 1);
  return lora ? withFreshAdapters(base, lora, 1) : base;
}

/** Kilobytes of a line of this process's status. */
function status(name: 'VmRSS' | 'VmHWM'): number {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`));
  return 1024 * Number(line?.[1]);
}

function rows() {
  const { length, images = 0, accumulate = 1 } = one;
  const plan = model.processor().plan?.({ kind: 'image', path: 'row' }, () => []);
  const tokens = plan?.ids.length ?? 0;
  const examples = Array.from({ length: one.rows }, (_, row) => {
    const ids = new Int32Array(length).map((_, i) => ((row * length + i) * 7919) % 97);
    const starts = Array.from({ length: images }, (_, i) => i * tokens);
    return exampleOf(row, ids, new Uint8Array(length).fill(1).fill(0, 0, images * tokens + 1), plan, starts);
  });
  const shape = [one.rows, 3, model.image?.height ?? 0, model.image?.width ?? 0];
  const pixels = new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.3);
  return sourceOf(model, examples, { accumulate, media: pixelsOf(tensor('float32', shape, pixels)) });
}

/** Time, peak and a hash of the gradients. */
async function gradients() {
  const buffer = allocateGradients(store, () => true);
  const { source } = rows();
  const program = new StepProgram({
    engine,
    model,
    store,
    objective: objectiveNamed('lm'),
    gradients: buffer,
    lanes: source.lanes,
    recompute: one.recompute ?? false,
  });
  const lanes = await source.step(0);
  const ms: number[] = [];
  const cpuMs: number[] = [];
  const resident = status('VmRSS');
  for (let i = 0; i <= one.times; i++) {
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    await program.run(lanes, { token: 1e3, sample: 1, batch: 1 });
    const { user, system } = process.cpuUsage(cpu);
    // The first builds the session.
    if (i > 0) ms.push(performance.now() - from);
    if (i > 0) cpuMs.push((user + system) / 1000);
  }
  const hash = createHash('sha256').update(buffer.flat).digest('hex');
  return { resident, peak: status('VmHWM'), ms, cpuMs, hash };
}

/** The plan of a stage, and what the stage then took. */
async function stage() {
  const { source, options } = rows();
  const trainable = selector(one.trainable ?? ['**']);
  const plan = planMemory(
    {
      ...loaded,
      engine,
      objective: objectiveNamed('lm'),
      trainable,
      ...(lora && { lora }),
      recompute: one.recompute ?? false,
      batches: exampleSizes(options, 1).batches,
      media: [],
      accumulate: options.accumulate,
      lanes: source.lanes,
      evaluation: [],
      resumed: false,
    },
    status('VmRSS'),
  );
  await train(one.times, source, trainable);
  return { plan, peak: status('VmHWM') };
}

async function train(steps: number, source: BatchSource, trainable: (path: string) => boolean, watch?: () => void) {
  await runStage(
    {
      name: 'bench',
      engine,
      model,
      store,
      objective: objectiveNamed('lm'),
      trainable,
      ...(lora && { lora }),
      recompute: one.recompute ?? false,
      source,
      settings: {
        steps,
        lr: 1e-4,
        lrFor: [],
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0,
        schedule: 'constant',
        warmupRatio: 0,
        clip: 1,
        saveEvery: 0,
        evalEvery: 0,
        logEvery: 1,
      },
    },
    {
      signal: new AbortController().signal,
      onStep: async () => watch?.(),
      onSave: () => {},
      onEvaluate: async () => {},
    },
  );
}

/** Resident bytes over the repetitions of some work, garbage collected first where the process lets us. */
function recorder() {
  const resident: number[] = [];
  let count = 0;
  return {
    resident,
    tick() {
      if (++count % Math.ceil(one.times / 20) !== 0) return;
      globalThis.gc?.();
      resident.push(status('VmRSS'));
    },
  };
}

async function steps() {
  const record = recorder();
  await train(one.times, rows().source, selector(['**']), record.tick);
  return { resident: record.resident, handles: engine.ledger.snapshot().nativeHandles };
}

async function generations() {
  const record = recorder();
  const program = new GenerationProgram({ engine, model: modelThat('writer', model, 'bench'), store });
  for (let i = 0; i < one.times; i++) {
    // Prompts of many lengths, as a server sees them.
    const request = { ids: Array.from({ length: 8 + (i % 24) }, (_, t) => (i + t * 17) % 97), maxTokens: 8 };
    await generate(program, [request, request], {});
    record.tick();
  }
  await program.dispose();
  return { resident: record.resident, handles: engine.ledger.snapshot().nativeHandles };
}

async function sessions() {
  const record = recorder();
  const buffer = allocateGradients(store, () => true);
  const { source } = rows();
  const step = await source.step(0);
  for (let i = 0; i < one.times; i++) {
    const { lanes } = source;
    const program = new StepProgram({
      engine,
      model,
      store,
      objective: objectiveNamed('lm'),
      gradients: buffer,
      lanes,
    });
    await program.run(step, { token: 1e3, sample: 1, batch: 1 });
    await program.dispose();
    record.tick();
  }
  return { resident: record.resident, handles: engine.ledger.snapshot().nativeHandles };
}
