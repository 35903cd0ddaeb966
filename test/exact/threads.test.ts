import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, Random, silentLog, type Tensor } from '../../src/base/index.ts';
import {
  conv2d,
  Graph,
  gather,
  gelu,
  gradients,
  layerNorm,
  log,
  logSoftmax,
  matmul,
  mul,
  reduceSum,
  rmsNorm,
  silu,
  softmax,
  tokenLogProb,
  type Value,
} from '../../src/graph/index.ts';
import { loadPlan } from '../../src/recipe/index.ts';
import { trainPlan } from '../../src/run/index.ts';
import { compile, type Engine, openEngine } from '../../src/runtime/index.ts';
import { kinds, writeKind } from './kinds.ts';
import { differences } from './run.ts';

/**
 * The same bytes whatever the number of threads. The two exceptions that docs/decisions.md tells of are tested too, so
 * that a release of ONNX Runtime that changes them is noticed.
 */

describe('a training', () => {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tessera-threads-'));
  const cache = process.env.TESSERA_CACHE;
  beforeAll(() => {
    process.env.TESSERA_CACHE = join(root, 'cache');
  });
  afterAll(() => {
    if (cache === undefined) delete process.env.TESSERA_CACHE;
    else process.env.TESSERA_CACHE = cache;
    rmSync(root, { recursive: true });
  });

  it.each(kinds)(
    'of kind %s leaves the same files on 1 and on 2 threads',
    async (kind) => {
      const recipe = await writeKind(root, kind, { steps: 4, threads: 1 });
      const [one, two] = [join(root, `${kind}-one`), join(root, `${kind}-two`)];
      const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
      for (const [folder, threads] of [[one, 1] as const, [two, 2] as const]) {
        // Short answers of few rows would be fewer targets than the model is wide: the first exception below.
        const overrides = [`train.threads=${threads}`, 'train.batch=24', `output.folder=${folder}`];
        const plan = loadPlan(recipe, overrides);
        await trainPlan(plan, { resume: false }, hooks);
      }
      // Both quote the number of threads.
      expect(differences(one, two)).toEqual(['/model/README.md', '/recipe.yaml']);
    },
    600_000,
  );
});

type Shape = readonly number[];
type Case = [name: string, shapes: Readonly<Record<string, Shape>>, build: (x: Record<string, Value>) => Value];

/** Wide enough for ONNX Runtime to use every thread, and cut unevenly by them. */
const cases: Case[] = [
  ['gelu', { x: [701, 129] }, ({ x }) => gelu(x as Value)],
  ['silu', { x: [701, 129] }, ({ x }) => silu(x as Value)],
  ['softmax', { x: [701, 129] }, ({ x }) => softmax(x as Value)],
  ['logSoftmax', { x: [701, 129] }, ({ x }) => logSoftmax(x as Value)],
  [
    'layerNorm',
    { x: [701, 129], w: [129], b: [129] },
    ({ x, w, b }) => layerNorm(x as Value, w as Value, b as Value, 1e-5),
  ],
  ['rmsNorm', { x: [701, 129], w: [129] }, ({ x, w }) => rmsNorm(x as Value, w as Value, 1e-5)],
  ['sum over rows', { x: [701, 129] }, ({ x }) => reduceSum(x as Value, [0])],
  ['sum of all', { x: [300_007] }, ({ x }) => reduceSum(x as Value)],
  ['gather', { x: [31, 129], ids: [701] }, ({ x, ids }) => gather(x as Value, ids as Value)],
  ['tokenLogProb', { x: [701, 129], ids: [701] }, ({ x, ids }) => tokenLogProb(x as Value, ids as Value)],
  ['conv2d', { x: [5, 3, 56, 56], w: [65, 3, 8, 8] }, ({ x, w }) => conv2d(x as Value, w as Value, { stride: 8 })],
  [
    'products of attention',
    { x: [6, 65, 33], y: [6, 65, 33] },
    ({ x, y }) => matmul(x as Value, y as Value, { transB: true }),
  ],
  ['many rows', { x: [701, 512], y: [96, 512] }, ({ x, y }) => matmul(x as Value, y as Value, { transB: true })],
  ['few rows, many columns', { x: [33, 512], y: [512, 700] }, ({ x, y }) => matmul(x as Value, y as Value)],
  ['few rows, a short sum', { x: [33, 128], y: [128, 100] }, ({ x, y }) => matmul(x as Value, y as Value)],
];

const exceptions: Case[] = [
  [
    'a product of few rows, few columns and a long sum',
    { x: [64, 512], y: [512, 128] },
    ({ x, y }) => matmul(x as Value, y as Value),
  ],
  ['the logarithm of many numbers', { x: [100_003] }, ({ x }) => log(mul(x as Value, x as Value))],
];

describe('an operator and its gradient', () => {
  let engines: Engine[] = [];
  beforeAll(async () => {
    engines = [await openEngine({ threads: 1 }), await openEngine({ threads: 2 })];
  });

  it.each(cases)('%s: the same bytes', async (_, shapes, build) => {
    const [one, two] = await Promise.all(engines.map((engine) => run(engine, shapes, build)));
    expect(one?.equals(two as Buffer)).toBe(true);
  });

  it.each(exceptions)('%s: other bytes', async (_, shapes, build) => {
    const [one, two] = await Promise.all(engines.map((engine) => run(engine, shapes, build)));
    expect(one?.equals(two as Buffer)).toBe(false);
  });
});

/** The bytes of a value and of the gradients of the sum of its squares. */
async function run(engine: Engine, shapes: Case[1], build: Case[2]): Promise<Buffer> {
  const graph = new Graph();
  const feeds = new Map(Object.entries(shapes).map(([name, shape]) => [name, noise(name, shape)]));
  const inputs = [...feeds].map(([name, { dtype, shape }]) => [name, graph.input(name, dtype, shape)] as const);
  const y = build(Object.fromEntries(inputs));
  const floats = inputs.flatMap(([, value]) => (value.dtype === 'float32' ? [value] : []));
  const found = [y, ...gradients(reduceSum(mul(y, y)), floats)];
  const session = await compile(engine, graph, new Map(found.map((value, i) => [`y${i}`, value as Value])), 'threads');
  try {
    return Buffer.concat([...(await session.run(feeds)).values()].map(({ data }) => bytesOf(data)));
  } finally {
    session.dispose();
  }
}

function noise(name: string, shape: Shape): Tensor {
  const random = new Random(1, name);
  const size = shape.reduce((a, b) => a * b, 1);
  return name === 'ids'
    ? { dtype: 'int32', shape, data: Int32Array.from({ length: size }, () => random.int(0, 31)) }
    : { dtype: 'float32', shape, data: Float32Array.from({ length: size }, () => random.normal()) };
}
