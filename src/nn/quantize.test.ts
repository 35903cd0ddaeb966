import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, Random, type Tensor } from '../base/index.ts';
import { Graph, quantizedMatmul } from '../graph/index.ts';
import { dequantizeMatrix, linear, normal, ParameterTrace, quantizeMatrix } from './index.ts';

function randomMatrix(rows: number, columns: number): Tensor<'float32'> {
  const random = new Random(1, 'matrix', columns);
  return float32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, () => random.normal()),
  );
}

describe('rounding to few bits', () => {
  it('keeps what lies on the levels of a block, 0 above all', () => {
    const levels = Float32Array.from({ length: 16 }, (_, i) => i - 5);
    const matrix = quantizeMatrix(float32([1, 16], levels), { bits: 4, block: 16 });
    expect([...matrix.packed.data]).toEqual([0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
    expect([...matrix.scales.data]).toEqual([1]);
    expect([...(matrix.zeros?.data ?? [])]).toEqual([5]);
    expect([...dequantizeMatrix(matrix).data]).toEqual([...levels]);
    const nothing = quantizeMatrix(float32([1, 16], new Float32Array(16)), { bits: 8, block: 16 });
    expect([...dequantizeMatrix(nothing).data]).toEqual(Array(16).fill(0));
  });

  it.each([
    { bits: 4, block: 32 },
    { bits: 4, block: 128 },
    { bits: 8, block: 64 },
  ] as const)('moves no element by more than half a step: %o', (options) => {
    const weight = randomMatrix(7, 200);
    const matrix = quantizeMatrix(weight, options);
    const back = dequantizeMatrix(matrix);
    const blocks = Math.ceil(200 / options.block);
    weight.data.forEach((x, i) => {
      const b = Math.floor(i / 200) * blocks + Math.floor((i % 200) / options.block);
      const step = matrix.scales.data[b] as number;
      expect(Math.abs(x - (back.data[i] as number))).toBeLessThanOrEqual(step * 0.5001);
    });
  });
});

describe('a product with a matrix in few bits', () => {
  it.each(
    ([4, 8] as const).flatMap((bits) =>
      [32, 128].flatMap((block) => [192, 256].map((width) => ({ bits, block, width }))),
    ),
  )('is that with what the matrix stands for: %o', async ({ bits, block, width }) => {
    const matrix = quantizeMatrix(randomMatrix(48, width), { bits, block });
    const x = randomMatrix(3, width);
    const graph = new Graph();
    const y = quantizedMatmul(graph.input('x', 'float32', ['M', width]), matrix);
    const got = numbers((await evaluate(graph, { y }, { x })).get('y'));
    const w = dequantizeMatrix(matrix);
    // Inputs are rounded to 8 bits a block: a step of 1/127 of a block's greatest, of which errors add up like noise.
    const bound = 0.5 * (3.5 / 127) * Math.sqrt(width) * 3;
    for (let m = 0; m < 3; m++) {
      for (let n = 0; n < 48; n++) {
        let sum = 0;
        for (let k = 0; k < width; k++) sum += (x.data[m * width + k] as number) * (w.data[n * width + k] as number);
        expect(Math.abs((got[m * 48 + n] as number) - sum)).toBeLessThan(bound);
      }
    }
  });

  it('stands in for the parameter of a linear layer', () => {
    const graph = new Graph();
    const quantized = new Map([['head.weight', quantizeMatrix(randomMatrix(8, 32), { bits: 4, block: 32 })]]);
    const trace = new ParameterTrace(graph, { quantized });
    const y = linear(trace.root().at('head'), graph.input('x', 'float32', [2, 32]), 8, { init: normal(1) });
    expect(y.shape).toEqual([2, 8]);
    expect([...trace.specs.keys()]).toEqual(['head.bias']);
  });
});
