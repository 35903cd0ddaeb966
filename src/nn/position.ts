import { type Dim, float32 } from '../base/index.ts';
import { cast, expand, type Graph, iota, mul, reshape, sub, type Value } from '../graph/index.ts';

/** Angles of one position for the pairs of a head of `dims` numbers, base `theta`; rounded at every step as PyTorch does. */
export function rotaryFrequencies(dims: number, theta: number): Float32Array {
  return Float32Array.from({ length: dims / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / dims)));
}

/** Rotary tables `cos, sin [positions, pairs]`; the pairs that have no frequency do not turn. */
export function rotaryTables(
  graph: Graph,
  positions: number,
  frequencies: Float32Array,
  { pairs = frequencies.length, scale = 1 }: { readonly pairs?: number; readonly scale?: number } = {},
): { cos: Value; sin: Value } {
  const cos = new Float32Array(positions * pairs).fill(1);
  const sin = new Float32Array(positions * pairs);
  for (const [i, frequency] of frequencies.entries()) {
    for (let p = 0; p < positions; p++) {
      const angle = Math.fround(p * frequency);
      cos[p * pairs + i] = scale * Math.cos(angle);
      sin[p * pairs + i] = scale * Math.sin(angle);
    }
  }
  const shape = [positions, pairs];
  return { cos: graph.constant(float32(shape, cos)), sin: graph.constant(float32(shape, sin)) };
}

/** Positions 0..T-1 of every row, int64 `[B, T]`. */
export function rowPositions(graph: Graph, batch: Dim, length: Dim): Value {
  return expand(reshape(iota(graph, length), [1, length]), [batch, length]);
}

/**
 * What a key loses a position in attention with linear biases (Press et al. 2022), for each head: powers of `2^(-8/n)`, `n`
 * the least power of two that is not below `heads`; every second one first, then those between, as ALiBi fills up head
 * counts that are no powers of two.
 */
export function alibiSlopes(heads: number): readonly number[] {
  const n = 2 ** Math.ceil(Math.log2(heads));
  const powers = Array.from({ length: n }, (_, i) => 2 ** ((-8 * (i + 1)) / n));
  const inOrder =
    n === heads ? powers : [...powers.filter((_, i) => i % 2 === 1), ...powers.filter((_, i) => i % 2 === 0)];
  return inOrder.slice(0, heads);
}

/** Attention with linear biases, `[heads, T, T]`: a key `d` positions back loses `d` times the slope of its head. */
export function alibiBias(graph: Graph, heads: number, size: Dim): Value {
  const slopes = graph.constant(float32([heads, 1, 1], [...alibiSlopes(heads)]));
  const row = reshape(iota(graph, size), [size, 1]);
  const column = reshape(iota(graph, size), [1, size]);
  return mul(cast(sub(column, row), 'float32'), slopes);
}

/**
 * Weights `[rows*columns, grid*grid]` that resize a square grid of position rows to another size: PyTorch's bicubic
 * (a = -0.75, half-pixel centres, no antialiasing, clamped borders).
 */
export function bicubicGrid(graph: Graph, grid: number, rows: number, columns: number): Value {
  const vertical = bicubicAxis(grid, rows);
  const horizontal = bicubicAxis(grid, columns);
  const weights = new Float32Array(rows * columns * grid * grid);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (const [i, wy] of vertical[y] as [number, number][])
        for (const [j, wx] of horizontal[x] as [number, number][]) {
          const at = (y * columns + x) * grid * grid + i * grid + j;
          weights[at] = (weights[at] as number) + wy * wx;
        }
  return graph.constant(float32([rows * columns, grid * grid], weights));
}

function bicubicAxis(from: number, to: number): [number, number][][] {
  const a = -0.75;
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const base = Math.floor(centre);
    const t = centre - base;
    return [far(t + 1), near(t), near(1 - t), far(2 - t)].map((weight, tap): [number, number] => [
      Math.min(Math.max(base - 1 + tap, 0), from - 1),
      weight,
    ]);
  });
}
