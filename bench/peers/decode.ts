import { float32, type Tensor } from '../../src/base/index.ts';
import { GenerationProgram, generate, type Quantization, quantizeWeights } from '../../src/generate/index.ts';
import { Graph, matmul } from '../../src/graph/index.ts';
import { loadModel } from '../../src/models/index.ts';
import { compile, openEngine } from '../../src/runtime/index.ts';
import { type DecodeProblem, matrices, prompts } from '../decode-problem.ts';
import { servePeer } from '../harness/serve.ts';

const [folder, problem, threads, backend, quantize] = JSON.parse(process.argv[2] as string) as [
  string,
  DecodeProblem,
  number,
  'c-api' | 'binding',
  Quantization?,
];
const engine = await openEngine({ threads, backend });
const { model, store } = loadModel(folder);
if (model.kind !== 'causal') throw new Error('a decoder is wanted');
const parts = { engine, model, store, fixed: true };
const program = new GenerationProgram(quantize ? quantizeWeights(parts, quantize) : parts);
const requests = prompts(problem).map((ids) => ({ ids, maxTokens: problem.tokens }));
const { batch, tokens } = problem;
const bare = await bareProducts();

await servePeer({ version: `onnxruntime ${engine.version}` }, { step });

async function step() {
  const boundMs = await bare();
  const before = engine.ledger.snapshot();
  const from = performance.now();
  let first = 0;
  let cpu = process.cpuUsage();
  const answers = await generate(program, requests, {
    onToken: (row) => {
      if (row < batch - 1 || first > 0) return;
      first = performance.now();
      cpu = process.cpuUsage();
    },
  });
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const after = engine.ledger.snapshot();
  return {
    firstMs: first - from,
    /** A new token of all rows. */
    ms: (end - first) / (tokens - 1),
    cpuMs: (user + system) / 1000 / (tokens - 1),
    boundMs,
    ids: answers.map(({ ids }) => ids),
    sessionsBuilt: after.sessionsBuilt - before.sessionsBuilt,
    hostCopyBytes: (after.hostCopyBytes - before.hostCopyBytes) / (tokens - 1),
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

/**
 * The bound of memory: one product of one row with a matrix that holds as many weights as the model multiplies a token
 * with. Each call takes the fastest of a few.
 */
async function bareProducts(): Promise<() => Promise<number>> {
  const count = matrices(problem).reduce((n, [rows, columns]) => n + rows * columns, 0);
  const [k, n] = [problem.width, Math.round(count / problem.width)];
  const graph = new Graph();
  const y = matmul(graph.input('a', 'float32', [1, k]), graph.input('b', 'float32', [n, k]), { transB: true });
  const session = await compile(engine, graph, new Map([['y', y]]), 'bare');
  const feeds = new Map<string, Tensor>([
    ['a', float32([1, k], new Float32Array(k).fill(0.5))],
    ['b', float32([n, k], new Float32Array(n * k).fill(0.5))],
  ]);
  const run = session.bind(feeds, new Map<string, Tensor>([['y', float32([1, n], new Float32Array(n))]]));
  return async () => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      const from = performance.now();
      await run.run();
      best = Math.min(best, performance.now() - from);
    }
    return best;
  };
}
