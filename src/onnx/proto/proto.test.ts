import { describe, expect, it } from 'vitest';
import { float32, int64, type TesseraError, tensor } from '../../base/index.ts';
import { decodeModel, encodeModel, type OnnxAttribute, type OnnxModel } from './index.ts';
import { WireWriter } from './wire-writer.ts';

const weights = float32(
  [2, 40],
  new Float32Array(80).map((_, i) => i / 7),
);

const model: OnnxModel = {
  irVersion: 10,
  opsets: { '': 22, 'com.microsoft': 1 },
  producer: 'tessera',
  metadata: { catalogue: 'Größe 7' },
  graph: {
    name: 'g',
    doc: 'a graph',
    nodes: [
      {
        opType: 'MatMul',
        domain: '',
        name: 'layers.0/matmul',
        inputs: ['x', 'w'],
        outputs: ['h'],
        attributes: {},
      },
      {
        opType: 'Fused',
        domain: 'com.microsoft',
        name: 'layers.0/fused',
        inputs: ['h', '', 'half'],
        outputs: ['y', ''],
        attributes: {
          axis: { type: 'int', value: -1 },
          zero: { type: 'int', value: 0 },
          big: { type: 'int', value: 2 ** 52 + 1 },
          alpha: { type: 'float', value: 0.5 },
          mode: { type: 'string', value: '' },
          perm: { type: 'ints', value: [0, -2, 300, -(2 ** 40)] },
          none: { type: 'ints', value: [] },
          scales: { type: 'floats', value: [1, -0.25, Number.POSITIVE_INFINITY] },
          names: { type: 'strings', value: ['a', '', 'ü'] },
          value: { type: 'tensor', value: int64([2], [-1, 5]) },
        },
      },
    ],
    inputs: [{ name: 'x', dtype: 'float32', shape: ['B*T', 2] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [] }],
    initializers: [
      { name: 'w', tensor: weights },
      { name: 'half', tensor: tensor('float16', [3], Uint16Array.of(0x3c00, 0, 0xffff)) },
      { name: 'flag', tensor: tensor('bool', [], Uint8Array.of(1)) },
      {
        name: 'out',
        dtype: 'bfloat16',
        shape: [4, 2],
        external: { location: 'w.safetensors', offset: 77, length: 16 },
      },
    ],
  },
};

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as TesseraError).code ?? String(error);
  }
  return 'no error';
}

/** A model whose one node has an attribute written by hand. */
function modelWith(write: (graph: WireWriter) => void): Uint8Array {
  const out = new WireWriter();
  out.int(1, 10);
  out.message(7, write);
  out.message(8, (inner) => inner.int(2, 22));
  return out.finish();
}

describe('ONNX files', () => {
  it('come back as they were written', () => {
    expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  it('hold the bytes that onnx.proto prescribes', () => {
    const bytes = encodeModel({
      irVersion: 8,
      opsets: { '': 13 },
      producer: '',
      metadata: {},
      graph: { name: 'g', nodes: [], inputs: [], outputs: [], initializers: [] },
    });
    expect([...bytes]).toEqual([0x08, 8, 0x3a, 3, 0x12, 1, 0x67, 0x42, 2, 0x10, 13]);
  });

  it('read weights from a subarray at an odd offset', () => {
    const bytes = encodeModel(model);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeModel(shifted.subarray(3))).toEqual(model);
  });

  it('are refused at every length short of the whole, unless the cut falls between two fields', () => {
    const bytes = encodeModel(model);
    for (let length = 0; length < bytes.length; length++) {
      let shorter: OnnxModel;
      try {
        shorter = decodeModel(bytes.subarray(0, length));
      } catch (error) {
        expect((error as TesseraError).code).toBe('onnx/corrupt');
        continue;
      }
      expect(encodeModel(shorter)).toEqual(bytes.subarray(0, length));
    }
  });

  it('refuse bytes that are no model', () => {
    expect(codeOf(() => decodeModel(new Uint8Array(0)))).toBe('onnx/corrupt');
    expect(codeOf(() => decodeModel(new TextEncoder().encode('{"not": "onnx"}')))).toBe('onnx/corrupt');
    expect(codeOf(() => decodeModel(new Uint8Array(64).fill(255)))).toBe('onnx/corrupt');
  });

  it('refuse integers that a number cannot hold', () => {
    const fraction: OnnxAttribute = { type: 'int', value: 1.5 };
    const [node] = model.graph.nodes;
    const broken = { ...model, graph: { ...model.graph, nodes: [{ ...node!, attributes: { fraction } }] } };
    expect(codeOf(() => encodeModel(broken))).toBe('onnx/integer');
  });

  it('refuse subgraphs, which they would otherwise lose', () => {
    const bytes = modelWith((graph) =>
      graph.message(1, (node) =>
        node.message(5, (attribute) => {
          attribute.string(1, 'body');
          attribute.message(6, (inner) => inner.string(2, 'sub'));
          attribute.int(20, 5);
        }),
      ),
    );
    expect(codeOf(() => decodeModel(bytes))).toBe('onnx/unsupported');
  });

  it('read tensors that other writers keep in typed fields', () => {
    const bytes = modelWith((graph) => {
      graph.message(5, (t) => {
        t.int(1, 2); // dims, not packed
        t.int(2, 1);
        t.float(4, 1.5);
        t.float(4, -2);
        t.string(8, 'f');
      });
      graph.message(5, (t) => {
        t.packedInts(1, [2]);
        t.int(2, 7);
        t.packedInts(7, [-3, 9]);
        t.string(8, 'i');
      });
    });
    expect(decodeModel(bytes).graph.initializers).toEqual([
      { name: 'f', tensor: float32([2], [1.5, -2]) },
      { name: 'i', tensor: int64([2], [-3, 9]) },
    ]);
  });

  it('refuse a tensor whose data does not fill its shape', () => {
    const bytes = modelWith((graph) =>
      graph.message(5, (t) => {
        t.packedInts(1, [2, 2]);
        t.int(2, 1);
        t.bytes(9, new Uint8Array(12));
      }),
    );
    expect(codeOf(() => decodeModel(bytes))).toBe('onnx/tensor-length');
  });
});
