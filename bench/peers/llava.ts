// tessera's side of the LLaVA bench: the training step of a stage, through what `tessera train` uses.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { selector, type Tensor } from '../../src/base/index.ts';
import { attachAdapter, loadAdapter, loadModel, openSafetensors, readTensor } from '../../src/models/index.ts';
import { openEngine } from '../../src/runtime/index.ts';
import { allocateGradients, type BatchSource, objectiveNamed, StepProgram, totalUnits } from '../../src/train/index.ts';
import { AdamW, allocateMoments } from '../../src/train/optim/adamw.ts';
import { servePeer } from '../harness/serve.ts';
import { type StageName, trainable } from '../llava-problem.ts';
import { optimizer } from '../problem.ts';
import { exampleOf, pixelsOf, sourceOf } from './source.ts';

const [folder, stage, threads] = JSON.parse(process.argv[2] as string) as [string, StageName, number];
const idle = statusBytes('VmRSS') ?? process.memoryUsage.rss();
const engine = await openEngine({ threads });
const { model, store, lora } = load();
const gradients = allocateGradients(store, selector(trainable[stage]));
const moments = allocateMoments(gradients);
const rateOf = () => optimizer.rate;
const adamw = await AdamW.open(engine, { store, gradients, moments, options: optimizer, rateOf });
const source = readBatch();
const program = new StepProgram({
  engine,
  model,
  store,
  objective: objectiveNamed('lm'),
  gradients,
  lanes: source.lanes,
  ...(lora && { lora }),
});
const lanes = await source.step(0);
const totals = totalUnits(lanes.flat());
let steps = 0;

await servePeer(
  { version: `onnxruntime ${engine.version}`, trained: gradients.flat.length, idle },
  {
    async step() {
      const before = engine.ledger.snapshot();
      const cpu = process.cpuUsage();
      const from = performance.now();
      const { loss } = await program.run(lanes, totals);
      await adamw.step({ step: ++steps, rateFactor: 1, gradientScale: 1 });
      const ms = performance.now() - from;
      const { user, system } = process.cpuUsage(cpu);
      const after = engine.ledger.snapshot();
      return {
        ms,
        cpuMs: (user + system) / 1000,
        loss,
        sessionsBuilt: after.sessionsBuilt - before.sessionsBuilt,
        sessionsOfRun: after.sessionsBuilt,
        hostCopies: after.hostCopies - before.hostCopies,
        hostCopyBytes: after.hostCopyBytes - before.hostCopyBytes,
        peak: statusBytes('VmHWM') ?? 1024 * process.resourceUsage().maxRSS,
      };
    },
  },
);

function load() {
  const base = loadModel(folder);
  if (stage === 'projector') return { ...base, lora: undefined };
  const adapter = loadAdapter(join(folder, 'adapter'), base);
  return { ...attachAdapter(base, adapter), lora: adapter.lora };
}

/** Every row begins with its image, whose places have no label. */
function readBatch(): BatchSource {
  const file = openSafetensors(join(folder, 'batch.safetensors'));
  const [pixels, ids, labels] = ['pixels', 'ids', 'labels'].map((name) => readTensor(file, name)) as [
    Tensor<'float32'>,
    Tensor<'int32'>,
    Tensor<'int32'>,
  ];
  const [rows, length] = ids.shape as [number, number];
  const plan = model.processor().plan?.({ kind: 'image', path: 'row' }, () => []);
  const examples = Array.from({ length: rows }, (_, row) => {
    const [from, to] = [row * length, (row + 1) * length];
    const supervised = Uint8Array.from(labels.data.subarray(from, to), (label) => (label === -100 ? 0 : 1));
    return exampleOf(row, ids.data.slice(from, to), supervised, plan, [0]);
  });
  return sourceOf(model, examples, { media: pixelsOf(pixels) }).source;
}

/** Bytes of a line of this process's status, where the system has one. */
function statusBytes(name: 'VmRSS' | 'VmHWM'): number | undefined {
  try {
    return 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
