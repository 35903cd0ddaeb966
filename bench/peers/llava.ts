// tessera's side of the LLaVA bench: the training step of a stage, through what `tessera train` uses.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { int32, selector, type Tensor } from '../../src/base/index.ts';
import { attachAdapter, loadAdapter, loadModel, openSafetensors, readTensor } from '../../src/models/index.ts';
import { openEngine } from '../../src/runtime/index.ts';
import { allocateGradients, type Batch, LossProgram } from '../../src/train/index.ts';
import { AdamW, allocateMoments } from '../../src/train/optim/adamw.ts';
import { servePeer } from '../harness/serve.ts';
import { type StageName, trainable } from '../llava-problem.ts';
import { optimizer } from '../problem.ts';

const [folder, stage, threads] = JSON.parse(process.argv[2] as string) as [string, StageName, number];
const idle = statusBytes('VmRSS') ?? process.memoryUsage.rss();
const engine = await openEngine({ threads });
const { model, store, lora } = load();
const gradients = allocateGradients(store, selector(trainable[stage]));
const moments = allocateMoments(gradients);
const rateOf = () => optimizer.rate;
const adamw = await AdamW.open(engine, { store, gradients, moments, options: optimizer, rateOf });
const program = new LossProgram({ engine, model, store, objective: 'lm', gradients, ...(lora && { lora }) });
const batch = readBatch();
let steps = 0;

await servePeer(
  { version: `onnxruntime ${engine.version}`, trained: gradients.flat.length, idle },
  {
    async step() {
      const before = engine.ledger.snapshot();
      const cpu = process.cpuUsage();
      const from = performance.now();
      const loss = await program.run(batch, 1 / batch.targets, true);
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

/** What is predicted stands one place to the left of its label. */
function readBatch(): Batch {
  const file = openSafetensors(join(folder, 'batch.safetensors'));
  const [pixels, ids, labels] = ['pixels', 'ids', 'labels'].map((name) => readTensor(file, name)) as [
    Tensor,
    Tensor<'int32'>,
    Tensor<'int32'>,
  ];
  const [rows, length] = ids.shape as [number, number];
  const places = [...labels.data.keys()];
  const targets = places.filter((i) => labels.data[i] !== -100);
  const pictures = places.filter((i) => labels.data[i] === -100);
  return {
    feeds: new Map<string, Tensor>([
      ['ids', ids],
      [
        'targetRows',
        int32(
          [targets.length],
          targets.map((i) => i - 1),
        ),
      ],
      [
        'targetIds',
        int32(
          [targets.length],
          targets.map((i) => ids.data[i] as number),
        ),
      ],
      ['pixels', pixels],
      ['imageRows', int32([pictures.length], pictures)],
    ]),
    targets: targets.length,
    rows,
    tokens: rows * length,
  };
}

/** Bytes of a line of this process's status, where the system has one. */
function statusBytes(name: 'VmRSS' | 'VmHWM'): number | undefined {
  try {
    return 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
