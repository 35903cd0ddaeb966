import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { backends, castNode, feeds, model, node, nonZero, sumAndProduct } from '../../test/support/onnx-models.ts';
import { type DType, dtypeInfo, float32, int32, int64, type Tensor, tensor, zeros } from '../base/index.ts';
import { openEngine } from './index.ts';

const a = float32([2, 3], [1, 2, 3, 4, 5, 6]);
const b = float32([2, 3], [10, 20, 30, 40, 50, 60]);

describe.each(backends)('sessions on %s', async (backend) => {
  const engine = await openEngine({ backend, threads: 1 });

  it('describe their inputs and outputs, with names of sizes', async () => {
    const session = await engine.createSession(sumAndProduct, { name: 'pair' });
    expect(session.inputs).toEqual([
      { name: 'a', dtype: 'float32', shape: ['B', 'T'] },
      { name: 'b', dtype: 'float32', shape: ['B', 'T'] },
    ]);
    expect(session.outputs.map(({ name }) => name)).toEqual(['sum', 'product']);
    session.dispose();
  });

  it('compute all outputs, for sizes that change from run to run', async () => {
    const session = await engine.createSession(sumAndProduct);
    const first = await session.run(feeds({ a, b }));
    expect(first.get('sum')).toEqual(float32([2, 3], [11, 22, 33, 44, 55, 66]));
    expect(first.get('product')).toEqual(float32([2, 3], [10, 40, 90, 160, 250, 360]));
    const one = float32([1, 1], [3]);
    expect((await session.run(feeds({ a: one, b: one }))).get('product')).toEqual(float32([1, 1], [9]));
    session.dispose();
  });

  it('fetch the outputs asked for and no others', async () => {
    const session = await engine.createSession(sumAndProduct);
    const sum = zeros('float32', [2, 3]);
    expect([...(await session.run(feeds({ a, b }), { fetch: ['product'] })).keys()]).toEqual(['product']);
    const both = await session.run(feeds({ a, b }), { fetch: ['product'], into: feeds({ sum }) });
    expect([...both.keys()]).toEqual(['sum', 'product']);
    expect(both.get('sum')).toBe(sum);
    session.dispose();
  });

  it('read from and write to views in the middle of bigger buffers', async () => {
    const session = await engine.createSession(sumAndProduct);
    const flat = Float32Array.of(-1, 1, 2, 3, -2, 10, 20, 30, -3, 0, 0, 0, -4, 0, 0, 0, -5);
    const at = (start: number) => tensor('float32', [1, 3], flat.subarray(start, start + 3));
    await session.run(feeds({ a: at(1), b: at(5) }), { into: feeds({ sum: at(9), product: at(13) }) });
    expect([...flat]).toEqual([-1, 1, 2, 3, -2, 10, 20, 30, -3, 11, 22, 33, -4, 10, 40, 90, -5]);
    session.dispose();
  });

  it('write an output over the input it is made of, elementwise', async () => {
    const session = await engine.createSession(sumAndProduct);
    const own = float32([2, 3], a.data);
    await session.run(feeds({ a: own, b }), { into: feeds({ sum: own }), fetch: [] });
    expect([...own.data]).toEqual([11, 22, 33, 44, 55, 66]);
    session.dispose();
  });

  it('fill targets of outputs that are inputs, constants or views in the graph', async () => {
    const session = await engine.createSession(
      model({
        nodes: [
          node('Identity', ['x'], ['same']),
          node('Identity', ['c'], ['fixed']),
          node('Reshape', ['x', 's'], ['flat']),
        ],
        inputs: [{ name: 'x', dtype: 'float32', shape: ['B', 2] }],
        outputs: [
          { name: 'same', dtype: 'float32', shape: ['B', 2] },
          { name: 'fixed', dtype: 'float32', shape: [2] },
          { name: 'flat', dtype: 'float32', shape: ['2*B'] },
        ],
        initializers: [
          { name: 'c', tensor: float32([2], [7, 8]) },
          { name: 's', tensor: int64([1], [-1]) },
        ],
      }),
    );
    const into = feeds({ same: zeros('float32', [2, 2]), fixed: zeros('float32', [2]), flat: zeros('float32', [4]) });
    await session.run(feeds({ x: float32([2, 2], [1, 2, 3, 4]) }), { into });
    expect([...into.values()].map(({ data }) => [...data])).toEqual([
      [1, 2, 3, 4],
      [7, 8],
      [1, 2, 3, 4],
    ]);
    session.dispose();
  });

  it.each<[DType, Tensor]>([
    ['int32', int32([3], [-1, 0, 7])],
    ['int64', int64([3], [-1, 0, 2 ** 40])],
    ['bool', tensor('bool', [3], Uint8Array.of(1, 0, 1))],
    ['uint8', tensor('uint8', [3], Uint8Array.of(1, 0, 255))],
    ['int8', tensor('int8', [3], Int8Array.of(1, 0, -128))],
    ['float64', tensor('float64', [3], Float64Array.of(1, 0, -1.5))],
    ['float16', tensor('float16', [3], Uint16Array.of(0x3c00, 0, 0xc100))],
  ])('take and give %s', async (dtype, x) => {
    const session = await engine.createSession(
      model({
        nodes: [node('Identity', ['x'], ['y']), castNode('x', 'f', dtypeInfo.float32.onnx)],
        inputs: [{ name: 'x', dtype, shape: ['N'] }],
        outputs: [
          { name: 'y', dtype, shape: ['N'] },
          { name: 'f', dtype: 'float32', shape: ['N'] },
        ],
      }),
    );
    const out = await session.run(feeds({ x }));
    expect(out.get('y')).toEqual(x);
    expect(out.get('f')!.data).toEqual(
      dtype === 'float16' ? Float32Array.of(1, 0, -2.5) : Float32Array.from(x.data as Float32Array, Number),
    );
    session.dispose();
  });

  it('take and give scalars and empty tensors', async () => {
    const session = await engine.createSession(
      model({
        nodes: [node('Add', ['x', 's'], ['y']), node('ReduceSum', ['y'], ['total']), node('Neg', ['s'], ['minus'])].map(
          (n) =>
            n.opType === 'ReduceSum' ? { ...n, attributes: { keepdims: { type: 'int' as const, value: 0 } } } : n,
        ),
        inputs: [
          { name: 'x', dtype: 'float32', shape: ['N'] },
          { name: 's', dtype: 'float32', shape: [] },
        ],
        outputs: [
          { name: 'y', dtype: 'float32', shape: ['N'] },
          { name: 'total', dtype: 'float32', shape: [] },
          { name: 'minus', dtype: 'float32', shape: [] },
        ],
      }),
    );
    const s = float32([], [2]);
    const into = feeds({ minus: zeros('float32', []) });
    const some = await session.run(feeds({ x: float32([3], [1, 2, 3]), s }), { into });
    expect(some.get('total')).toEqual(float32([], [12]));
    expect(into.get('minus')).toEqual(float32([], [-2]));
    const none = await session.run(feeds({ x: float32([0], []), s }));
    expect(none.get('y')).toEqual(float32([0], []));
    expect(none.get('total')).toEqual(float32([], [0]));
    const empty = feeds({ y: zeros('float32', [0]) });
    expect((await session.run(feeds({ x: float32([0], []), s }), { into: empty })).get('total')!.data[0]).toBe(0);
    session.dispose();
  });

  it('return outputs whose sizes depend on the values', async () => {
    const session = await engine.createSession(nonZero);
    const out = await session.run(feeds({ x: float32([4], [0, 1, 0, 1]) }));
    expect(out.get('where')).toEqual(int64([1, 2], [1, 3]));
    session.dispose();
  });

  it('repeat bound runs on arrays whose contents change', async () => {
    const session = await engine.createSession(sumAndProduct);
    const own = float32([1, 2], [1, 2]);
    const sum = zeros('float32', [1, 2]);
    const bound = session.bind(feeds({ a: own, b: own }), feeds({ sum }));
    await bound.run();
    expect([...sum.data]).toEqual([2, 4]);
    own.data.set([5, 6]);
    await bound.run();
    expect([...sum.data]).toEqual([10, 12]);
    bound.release();
    session.dispose();
  });

  it('give results that survive the session', async () => {
    const session = await engine.createSession(sumAndProduct);
    const out = await session.run(feeds({ a, b }));
    session.dispose();
    expect(out.get('sum')!.data[5]).toBe(66);
  });

  it('leave the arithmetic of JavaScript alone', async () => {
    const session = await engine.createSession(sumAndProduct);
    await session.run(feeds({ a, b }));
    expect([1, 3].map((factor) => 5e-324 * factor)).toEqual([5e-324, 1.5e-323]);
    session.dispose();
  });
});

describe('bfloat16', () => {
  const widen = model({
    nodes: [castNode('x', 'y', dtypeInfo.float32.onnx)],
    inputs: [{ name: 'x', dtype: 'bfloat16', shape: ['N'] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['N'] }],
  });

  it('is taken by the C API', async () => {
    const engine = await openEngine({ backend: 'c-api', threads: 1 });
    const session = await engine.createSession(widen);
    const out = await session.run(feeds({ x: tensor('bfloat16', [2], Uint16Array.of(0x3f80, 0xc020)) }));
    expect(out.get('y')).toEqual(float32([2], [1, -2.5]));
    session.dispose();
  });

  it('is refused by the binding when the session is built', async () => {
    const engine = await openEngine({ backend: 'binding', threads: 1 });
    const fault = await engine.createSession(widen, { name: 'widen' }).catch((error) => error);
    expect(fault).toMatchObject({ code: 'runtime/model-refused' });
    rmSync(fault.path);
  });
});

describe('outputs in place', () => {
  it('cost no copy on the C API, and an output whose size only the values decide costs one', async () => {
    const engine = await openEngine({ backend: 'c-api', threads: 1 });
    const session = await engine.createSession(sumAndProduct);
    await session.run(feeds({ a, b }), { into: feeds({ sum: zeros('float32', [2, 3]) }) });
    expect(engine.ledger.snapshot()).toMatchObject({ runs: 1, hostCopies: 0 });
    session.dispose();
    const where = await engine.createSession(nonZero);
    await where.run(feeds({ x: float32([3], [0, 1, 1]) }));
    expect(engine.ledger.snapshot()).toMatchObject({ runs: 2, hostCopies: 1, hostCopyBytes: 16, nativeHandles: 1 });
    where.dispose();
  });

  it('cost two copies on the binding', async () => {
    const engine = await openEngine({ backend: 'binding', threads: 1 });
    const session = await engine.createSession(sumAndProduct);
    await session.run(feeds({ a, b }), { into: feeds({ sum: zeros('float32', [2, 3]) }), fetch: [] });
    expect(engine.ledger.snapshot()).toMatchObject({ runs: 1, hostCopies: 2, hostCopyBytes: 48 });
    session.dispose();
  });
});
