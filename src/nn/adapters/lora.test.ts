import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { float32, full, int32 } from '../../base/index.ts';
import { Graph, gradients, reduceSum, type Value } from '../../graph/index.ts';
import { linear } from '../linear.ts';
import type { Lora } from '../params.ts';
import { ParameterTrace } from '../params.ts';

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
