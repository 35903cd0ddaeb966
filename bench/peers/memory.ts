// One measurement of memory in a process of its own: `memory.ts '<case as JSON>'` prints one line of JSON.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { int32, selector, silentLog, type Tensor, tensor } from '../../src/base/index.ts';
import { GenerationProgram, generate } from '../../src/generate/index.ts';
import { type ConfigJson, createModel, type LoadedModel } from '../../src/models/index.ts';
import { initializeStore, type Lora } from '../../src/nn/index.ts';
import { withFreshAdapters } from '../../src/recipe/run/lora.ts';
import { openEngine } from '../../src/runtime/index.ts';
import {
  allocateGradients,
  type Batch,
  type BatchSize,
  LossProgram,
  planMemory,
  runStage,
} from '../../src/train/index.ts';

/** A model and its largest batch. */
export interface MemoryCase {
  readonly task: 'gradients' | 'stage' | 'steps' | 'generations' | 'sessions';
  readonly config: ConfigJson;
  readonly rows: number;
  readonly length: number;
  /** Pictures in each row. */
  readonly pictures?: number;
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

function batch(): Batch {
  const { rows, length, pictures = 0 } = one;
  const picture = model.kind === 'causal' ? model.picture : undefined;
  const slots = picture && pictures ? pictures * picture.rows : 0;
  const ids = new Int32Array(rows * length).map((_, i) => (i * 7919) % 97);
  const all = [...ids.keys()];
  const targets = all.filter((i) => i % length >= slots && i % length < length - 1);
  const feeds = new Map<string, Tensor>([
    ['ids', int32([rows, length], ids)],
    ['targetRows', int32([targets.length], targets)],
    [
      'targetIds',
      int32(
        [targets.length],
        targets.map((i) => ids[i + 1] as number),
      ),
    ],
  ]);
  if (picture && slots) {
    const shape = [rows * pictures, 3, picture.height, picture.width];
    const pixels = new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.3);
    feeds.set('pixels', tensor('float32', shape, pixels));
    feeds.set(
      'imageRows',
      int32(
        [rows * slots],
        all.filter((i) => i % length < slots),
      ),
    );
  }
  return { feeds, targets: targets.length, rows, tokens: rows * length };
}

function sizeOf({ feeds, targets }: Batch): BatchSize {
  const sizes = new Map([
    ['B', one.rows],
    ['T', one.length],
    ['K', targets],
    ['N', one.rows * (one.pictures ?? 0)],
  ]);
  return { feeds: [...feeds.keys()].filter((name) => name !== 'imageRows'), sizes };
}

/** Time, peak and a hash of the gradients. */
async function gradients() {
  const buffer = allocateGradients(store, () => true);
  const program = new LossProgram({
    engine,
    model,
    store,
    objective: 'lm',
    gradients: buffer,
    recompute: one.recompute ?? false,
  });
  const fed = batch();
  const ms: number[] = [];
  const cpuMs: number[] = [];
  const resident = status('VmRSS');
  for (let i = 0; i <= one.times; i++) {
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    await program.run(fed, 1 / fed.targets, true);
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
  const fed = batch();
  const trainable = selector(one.trainable ?? ['**']);
  const plan = planMemory(
    {
      ...loaded,
      objective: 'lm',
      trainable,
      ...(lora && { lora }),
      recompute: one.recompute ?? false,
      batches: [sizeOf(fed)],
      pictures: 0,
      accumulate: one.accumulate ?? 1,
      evaluation: [],
      resumed: false,
    },
    status('VmRSS'),
  );
  await train(one.times, fed, trainable);
  return { plan, peak: status('VmHWM') };
}

async function train(steps: number, fed: Batch, trainable: (path: string) => boolean, watch?: () => void) {
  await runStage(
    {
      name: 'bench',
      engine,
      model,
      store,
      objective: 'lm',
      trainable,
      ...(lora && { lora }),
      recompute: one.recompute ?? false,
      source: { stepsPerEpoch: steps, step: async () => Array.from({ length: one.accumulate ?? 1 }, () => fed) },
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
    { signal: new AbortController().signal, onStep: () => watch?.(), onSave: () => {}, onEvaluate: () => {} },
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
  await train(one.times, batch(), selector(['**']), record.tick);
  return { resident: record.resident, handles: engine.ledger.snapshot().nativeHandles };
}

async function generations() {
  if (model.kind !== 'causal') throw new Error('a model that writes text is wanted');
  const record = recorder();
  const program = new GenerationProgram({ engine, model, store });
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
  const fed = batch();
  for (let i = 0; i < one.times; i++) {
    const program = new LossProgram({ engine, model, store, objective: 'lm', gradients: buffer });
    await program.run(fed, 1 / fed.targets, true);
    await program.dispose();
    record.tick();
  }
  return { resident: record.resident, handles: engine.ledger.snapshot().nativeHandles };
}
