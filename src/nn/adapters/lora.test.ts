import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { float32, full, int32 } from '../../base/index.ts';
import { Graph, gradients, reduceSum, type Value } from '../../graph/index.ts';
import { linear } from '../linear.ts';
import { type Lora, ParameterTrace, type Scope } from '../params.ts';
import { mergeLora } from './merge.ts';

const ROWS = 64;
const WIDTH = 32;
const RATE = 0.25;
/** What a kept 1 becomes: alpha/r, scaled up for what was dropped. */
const KEPT = Math.fround(2 / (1 - RATE));

interface Built {
  readonly graph: Graph;
  readonly x: Value;
  readonly outputs: Map<string, Value>;
}

/** Two adapted layers side by side on one input. */
function build(lora: Partial<Lora>, training = true): Built {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['R', WIDTH]);
  const trace = new ParameterTrace(graph, {
    lora: { r: WIDTH, alpha: 2 * WIDTH, targets: () => true, ...lora },
    dropoutSeed: training ? graph.input('dropoutSeed', 'int32', []) : undefined,
  });
  const layer = (name: string) => linear(trace.root().at(name), x, WIDTH, { bias: false });
  return {
    graph,
    x,
    outputs: new Map([
      ['one', layer('one')],
      ['two', layer('two')],
    ]),
  };
}

const eye = float32(
  [WIDTH, WIDTH],
  Array.from({ length: WIDTH * WIDTH }, (_, i) => (i % (WIDTH + 1) === 0 ? 1 : 0)),
);
const zero = full('float32', [WIDTH, WIDTH], 0);

/** With W = 0 and A = B = 1 the output is the dropped and scaled input. */
function feeds(seed: number) {
  const layer = (name: string) => ({
    [`${name}.weight`]: zero,
    [`${name}.lora_A.weight`]: eye,
    [`${name}.lora_B.weight`]: eye,
  });
  return { x: full('float32', [ROWS, WIDTH], 1), dropoutSeed: int32([], [seed]), ...layer('one'), ...layer('two') };
}

async function run({ graph, outputs }: Built, seed: number): Promise<Record<string, number[]>> {
  const got = await evaluate(graph, outputs, feeds(seed));
  return Object.fromEntries([...got].map(([name, t]) => [name, numbers(t)]));
}

describe('dropout of the low-rank path', () => {
  const dropout = { rate: RATE, seed: 0 };

  it('drops at the rate and keeps the mean', async () => {
    const { one = [] } = await run(build({ dropout }), 1);
    expect(new Set(one)).toEqual(new Set([0, KEPT]));
    const draws = ROWS * WIDTH;
    const dropped = one.filter((y) => y === 0).length;
    expect(Math.abs(dropped - draws * RATE)).toBeLessThan(4 * Math.sqrt(draws * RATE * (1 - RATE)));
    const mean = one.reduce((a, b) => a + b, 0) / draws;
    expect(Math.abs(mean - 2)).toBeLessThan(4 * KEPT * Math.sqrt((RATE * (1 - RATE)) / draws));
  });

  it('depends on the seed and the layer, and on nothing else', async () => {
    const built = build({ dropout });
    const [first, again, next] = [await run(built, 1), await run(build({ dropout }), 1), await run(built, 2)];
    expect(again).toEqual(first);
    expect(next.one).not.toEqual(first.one);
    expect(first.two).not.toEqual(first.one);
  });

  it('sends the gradient through the same mask', async () => {
    const built = build({ dropout });
    const one = built.outputs.get('one') as Value;
    const [dx] = gradients(reduceSum(one), [built.x]);
    const got = await evaluate(built.graph, { one, dx: dx as Value }, feeds(3));
    expect(numbers(got.get('dx'))).toEqual(numbers(got.get('one')));
  });

  it('adds no node at a rate of zero, without an option and outside training', async () => {
    const plain = build({}, false).graph.nodes.length;
    expect(build({ dropout }, false).graph.nodes).toHaveLength(plain);
    // The seed itself is the one node more.
    expect(build({}).graph.nodes).toHaveLength(plain + 1);
    expect(build({ dropout: { rate: 0, seed: 0 } }).graph.nodes).toHaveLength(plain + 1);
    expect(build({ dropout }).graph.nodes.length).toBeGreaterThan(plain + 1);
    expect(new Set((await run(build({ dropout }, false), 1)).one)).toEqual(new Set([2]));
  });
});

describe('scopes over one set of weights', () => {
  const lora = { r: 1, alpha: 1, targets: () => true };

  it("compute with the trace's adapter, with another, and without, in one graph", async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['R', 1]);
    const critic = { ...lora, alpha: 3 };
    const policy = new ParameterTrace(graph, { lora, adapters: new Map([['critic', critic]]) }).root();
    const layer = (scope: Scope) => linear(scope.at('up'), x, 1, { bias: false });
    const outputs = {
      policy: layer(policy),
      critic: layer(policy.adapted('critic')),
      reference: layer(policy.plain()),
    };
    expect([...policy.trace.specs.keys()]).toEqual([
      'up.weight',
      'up.lora_A.weight',
      'up.lora_B.weight',
      'up.lora_A.critic.weight',
      'up.lora_B.critic.weight',
    ]);
    const one = full('float32', [1, 1], 1);
    const got = await evaluate(graph, outputs, {
      x: one,
      ...Object.fromEntries([...policy.trace.specs.keys()].map((path) => [path, one])),
    });
    expect(['policy', 'critic', 'reference'].map((name) => numbers(got.get(name)))).toEqual([[2], [4], [1]]);
  });

  it('refuse a name that no adapter has', () => {
    const root = new ParameterTrace(new Graph(), { adapters: new Map([['critic', lora]]) }).root();
    expect(() => root.adapted('judge')).toThrow(expect.objectContaining({ code: 'nn/adapter', expected: 'critic' }));
  });
});

describe('DoRA', () => {
  /** W = [[3, 4]], B A = 0, lengths [10]: the row is [6, 8] whatever its own length. */
  const feedsOf = (magnitude: number) => ({
    x: float32([1, 2], [1, 1]),
    'up.weight': float32([1, 2], [3, 4]),
    'up.lora_A.weight': float32([1, 2], [0, 0]),
    'up.lora_B.weight': float32([1, 1], [1]),
    'up.lora_magnitude_vector': float32([1], [magnitude]),
  });
  const lora: Lora = { r: 1, alpha: 1, targets: () => true, directional: true };

  it('gives a row its length and merges into the same', async () => {
    const graph = new Graph();
    const trace = new ParameterTrace(graph, { lora });
    const y = linear(trace.root().at('up'), graph.input('x', 'float32', ['R', 2]), 1, { bias: false });
    const feeds = feedsOf(10);
    expect(numbers((await evaluate(graph, { y }, feeds)).get('y'))).toEqual([14]);
    const merged = mergeLora(new Map(Object.entries(feeds).filter(([name]) => name !== 'x')), lora);
    expect([...merged].map(([path, t]) => [path, numbers(t)])).toEqual([['up.weight', [6, 8]]]);
  });

  it('drops the input of the whole update, as PEFT does', async () => {
    const graph = new Graph();
    const dropout = { rate: 0.5, seed: 0 };
    const dropoutSeed = graph.input('dropoutSeed', 'int32', []);
    const trace = new ParameterTrace(graph, { lora: { ...lora, dropout }, dropoutSeed });
    const y = linear(trace.root().at('up'), graph.input('x', 'float32', ['R', 2]), 1, { bias: false });
    const seen = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const got = await evaluate(graph, { y }, { ...feedsOf(10), dropoutSeed: int32([], [seed]) });
      seen.add(numbers(got.get('y'))[0] as number);
    }
    // x W^T = 7, and the update doubles what is kept of it, scaled by two: nothing, 3, 4 or both.
    expect([...seen].sort((a, b) => a - b)).toEqual([7, 13, 15, 21]);
  });
});
