import { float32, type Tensor } from '../../src/base/index.ts';
import type { Example } from '../../src/data/index.ts';
import { Graph, matmul } from '../../src/graph/index.ts';
import { createModel } from '../../src/models/index.ts';
import { compile, openEngine } from '../../src/runtime/index.ts';
import { allocateGradients, objectiveNamed, StepProgram, totalUnits } from '../../src/train/index.ts';
import { AdamW, allocateMoments } from '../../src/train/optim/adamw.ts';
import { fastest, servePeer } from '../harness/serve.ts';
import { type DecoderConfig, initialValue, normEpsilon, optimizer, tokens } from '../problem.ts';
import { exampleOf, sourceOf } from './source.ts';

const [config, threads, backend] = JSON.parse(process.argv[2] as string) as [
  DecoderConfig,
  number,
  'c-api' | 'binding',
];
const engine = await openEngine({ threads, backend });
const { model, store } = createModel({
  model_type: 'llama',
  vocab_size: config.vocabSize,
  hidden_size: config.width,
  intermediate_size: config.innerWidth,
  num_hidden_layers: config.layers,
  num_attention_heads: config.heads,
  max_position_embeddings: config.length,
  rms_norm_eps: normEpsilon,
});
for (const [path, { shape, data }] of store.tensors) data.set(initialValue(path, shape));
const gradients = allocateGradients(store, () => true);
const moments = allocateMoments(gradients);
const adamw = await AdamW.open(engine, { store, gradients, moments, options: optimizer, rateOf: () => optimizer.rate });
const { source } = sourceOf(model, examples(config));
const program = new StepProgram({
  engine,
  model,
  store,
  objective: objectiveNamed('lm'),
  gradients,
  lanes: source.lanes,
});
const lanes = await source.step(0);
const totals = totalUnits(lanes.flat());
let steps = 0;

await servePeer(
  { version: `onnxruntime ${engine.version}` },
  {
    async step() {
      const before = engine.ledger.snapshot();
      const cpu = process.cpuUsage();
      const from = performance.now();
      const { loss } = await program.run(lanes, totals);
      const graphMs = performance.now() - from;
      const graphCpuMs = cpuMs(cpu);
      await adamw.step({ step: ++steps, rateFactor: 1, gradientScale: 1 });
      const ms = performance.now() - from;
      const after = engine.ledger.snapshot();
      return {
        ms,
        loss,
        graphMs,
        cpuMs: cpuMs(cpu),
        graphCpuMs,
        sessionsBuilt: after.sessionsBuilt - before.sessionsBuilt,
        hostCopies: after.hostCopies - before.hostCopies,
        hostCopyBytes: after.hostCopyBytes - before.hostCopyBytes,
        peakMb: process.resourceUsage().maxRSS / 1024,
      };
    },
    async matmul(m, k, n) {
      const graph = new Graph();
      const y = matmul(graph.input('a', 'float32', [m, k]), graph.input('b', 'float32', [k, n]));
      const session = await compile(engine, graph, new Map([['y', y]]), 'product');
      const feeds = new Map<string, Tensor>([
        ['a', float32([m, k], new Float32Array(m * k).fill(0.5))],
        ['b', float32([k, n], new Float32Array(k * n).fill(0.5))],
      ]);
      const into = new Map<string, Tensor>([['y', float32([m, n], new Float32Array(m * n))]]);
      const ms = await fastest(() => session.run(feeds, { into, fetch: [] }), 15);
      session.dispose();
      return { ms };
    },
  },
);

/** Processor time of all threads since a mark. */
function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

/** Every token but the last of a row predicts its follower. */
function examples({ batch, length }: DecoderConfig): Example[] {
  const ids = tokens(config);
  const supervised = new Uint8Array(length).fill(1);
  return Array.from({ length: batch }, (_, row) =>
    exampleOf(row, ids.slice(row * length, (row + 1) * length), supervised),
  );
}
