import { type Tensor, tensor, zeros } from '../../src/base/index.ts';
import { GenerationProgram, generate, type Quantization, quantizeWeights } from '../../src/generate/index.ts';
import { Graph, matmul, type Value } from '../../src/graph/index.ts';
import { loadModel, modelThat } from '../../src/models/index.ts';
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
const { model: loaded, store } = loadModel(folder);
const model = modelThat('writer', loaded, folder);
const parts = { engine, model, store, fixed: true };
const program = new GenerationProgram(quantize ? quantizeWeights(parts, quantize) : parts);
const requests = prompts(problem).map((ids) => ({ ids, maxTokens: problem.tokens }));
const { batch, tokens } = problem;
const bare = await bareProducts();

await servePeer({ version: `onnxruntime ${engine.version}` }, { step });

async function step() {
  const bound = await bare();
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
    boundMs: bound.ms,
    boundCpuMs: bound.cpuMs,
    ids: answers.map(({ ids }) => ids),
    sessionsBuilt: after.sessionsBuilt - before.sessionsBuilt,
    hostCopyBytes: (after.hostCopyBytes - before.hostCopyBytes) / (tokens - 1),
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

/**
 * The bound of memory: the model's own products alone, with constant matrices of the same shapes. Each call takes the
 * fastest of a few.
 */
async function bareProducts(): Promise<() => Promise<{ ms: number; cpuMs: number }>> {
  const graph = new Graph();
  const widths = [...new Set(matrices(problem).map(([, columns]) => columns))];
  const rows = new Map(widths.map((width) => [width, graph.input(`x${width}`, 'float32', [1, width])]));
  const products = matrices(problem).map(([out, width], i): [string, Value] => {
    // Equal matrices would become one.
    const weight = graph.constant(tensor('float32', [out, width], new Float32Array(out * width).fill(i + 1)));
    return [`y${i}`, matmul(rows.get(width) as Value, weight, { transB: true })];
  });
  const session = await compile(engine, graph, new Map(products), 'bare');
  const run = session.bind(
    new Map<string, Tensor>(widths.map((width) => [`x${width}`, zeros('float32', [1, width])])),
    new Map<string, Tensor>(products.map(([name, y]) => [name, zeros('float32', y.shape as number[])])),
  );
  const times = 5;
  return async () => {
    let ms = Number.POSITIVE_INFINITY;
    const cpu = process.cpuUsage();
    for (let i = 0; i < times; i++) {
      const from = performance.now();
      await run.run();
      ms = Math.min(ms, performance.now() - from);
    }
    const { user, system } = process.cpuUsage(cpu);
    return { ms, cpuMs: (user + system) / 1000 / times };
  };
}
