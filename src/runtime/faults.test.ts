import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { backends, feeds, model, node, nonZero, power, sumAndProduct } from '../../test/support/onnx-models.ts';
import { float32, int32, int64, type Tensor, TesseraError, tensor, zeros } from '../base/index.ts';
import { openEngine } from './index.ts';

const a = float32([2, 3], [1, 2, 3, 4, 5, 6]);
const b = float32([2, 3], [10, 20, 30, 40, 50, 60]);

async function faultOf(run: () => unknown): Promise<TesseraError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe.each(backends)('faults on %s', async (backend) => {
  const engine = await openEngine({ backend, threads: 1 });
  const session = await engine.createSession(sumAndProduct, { name: 'pair' });

  it('name an input that was not fed', async () => {
    const fault = await faultOf(() => session.run(feeds({ a })));
    expect(fault.toJSON()).toEqual({
      code: 'runtime/feed',
      message: 'the input b of pair was not fed',
      path: 'b',
      expected: 'float32 [B, T]',
      got: 'a',
    });
  });

  it('name an input that does not exist, and a near one', async () => {
    const fault = await faultOf(() => session.run(feeds({ a, b, aa: a })));
    expect(fault).toMatchObject({ code: 'runtime/feed', path: 'aa', remedy: 'did you mean a?' });
  });

  it.each<[string, Tensor, Partial<TesseraError>]>([
    ['dtype', int32([2, 3], new Int32Array(6)), { expected: 'float32 [B, T]', got: 'int32 [2, 3]' }],
    ['rank', zeros('float32', [6]), { expected: 'float32 [B, T]', got: 'float32 [6]' }],
    ['size beside another input', zeros('float32', [2, 4]), { expected: '[B, T] with B=2, T=3', got: '[2, 4]' }],
    ['array length', { dtype: 'float32', shape: [2, 3], data: new Float32Array(5) }, { got: '20 bytes' }],
  ])('say what is wrong with the %s of a feed', async (_what, wrong, expected) => {
    const fault = await faultOf(() => session.run(feeds({ a, b: wrong })));
    expect(fault).toMatchObject({ code: 'runtime/feed', path: 'b', ...expected });
  });

  it('come all at once', async () => {
    const fault = await faultOf(() => session.run(feeds({ a: zeros('float32', [6]), c: b }), { fetch: ['no'] }));
    expect([fault, ...fault.others].map(({ code, path }) => `${code} ${path}`)).toEqual([
      'runtime/feed b',
      'runtime/feed a',
      'runtime/feed c',
      'runtime/fetch no',
    ]);
  });

  it('name a wrong target and an unknown output', async () => {
    const wrong = await faultOf(() => session.run(feeds({ a, b }), { into: feeds({ sum: zeros('float32', [3, 2]) }) }));
    expect(wrong).toMatchObject({ code: 'runtime/target', path: 'sum', got: '[3, 2]' });
    const unknown = await faultOf(() => session.run(feeds({ a, b }), { into: feeds({ summ: b }) }));
    expect(unknown).toMatchObject({ code: 'runtime/target', path: 'summ', remedy: 'did you mean sum?' });
    const fetch = await faultOf(() => session.run(feeds({ a, b }), { fetch: ['mean'] }));
    expect(fetch).toMatchObject({ code: 'runtime/fetch', path: 'mean', expected: 'sum, product' });
    const none = await faultOf(() => session.bind(feeds({ a, b }), new Map()));
    expect(none).toMatchObject({ code: 'runtime/fetch', path: 'pair', got: 'none' });
  });

  it('refuse a target that is too small for what the values decide', async () => {
    const found = await engine.createSession(nonZero);
    const into = feeds({ where: int64([1, 1], [0]) });
    const fault = await faultOf(() => found.run(feeds({ x: float32([3], [1, 1, 1]) }), { into }));
    expect(fault.code).toBe('runtime/run-failed');
    found.dispose();
  });

  it('keep a refused model in a file that the error names', async () => {
    const garbage = new TextEncoder().encode('this is no model');
    const fault = await faultOf(() => engine.createSession(garbage, { name: 'gar/bage' }));
    expect(fault.code).toBe('runtime/model-refused');
    expect(fault.message).toContain('gar/bage');
    expect(new Uint8Array(readFileSync(fault.path as string))).toEqual(garbage);
    rmSync(fault.path as string);
  });

  it('carry ONNX Runtime’s text on an unknown operator and on an index out of range', async () => {
    const unknown = model({ nodes: [node('Frobnicate', ['x'], ['y'])], inputs: [port('x')], outputs: [port('y')] });
    const refused = await faultOf(() => engine.createSession(unknown));
    expect(refused.message).toContain('Frobnicate');
    rmSync(refused.path as string);
    const gather = await engine.createSession(
      model({
        nodes: [node('Gather', ['x', 'i'], ['y'])],
        inputs: [port('x'), { name: 'i', dtype: 'int32', shape: [1] }],
        outputs: [{ name: 'y', dtype: 'float32', shape: [1] }],
      }),
    );
    const fault = await faultOf(() => gather.run(feeds({ x: float32([2], [1, 2]), i: int32([1], [5]) })));
    expect(fault.code).toBe('runtime/run-failed');
    expect(fault.message).toMatch(/test\/Gather\/y.*out of.*bounds/s);
    gather.dispose();
  });

  it('refuse every use after the session was disposed', async () => {
    const gone = await engine.createSession(sumAndProduct);
    const bound = gone.bind(feeds({ a, b }), feeds({ sum: zeros('float32', [2, 3]) }));
    gone.dispose();
    gone.dispose();
    for (const use of [
      () => gone.run(feeds({ a, b })),
      () => gone.bind(feeds({ a, b }), new Map()),
      () => bound.run(),
    ]) {
      expect((await faultOf(use)).code).toBe('runtime/disposed');
    }
    bound.release();
  });

  it('refuse a bound run twice at a time, after its release, and on arrays that were given away', async () => {
    const own = float32([2, 3], b.data);
    const bound = session.bind(feeds({ a, b: own }), feeds({ sum: zeros('float32', [2, 3]) }));
    const running = bound.run();
    expect((await faultOf(() => bound.run())).code).toBe('runtime/busy');
    expect((await faultOf(() => bound.release())).code).toBe('runtime/busy');
    await running;
    structuredClone(own.data, { transfer: [own.data.buffer] });
    expect(await faultOf(() => bound.run())).toMatchObject({ code: 'runtime/feed', path: 'b', got: '0 bytes' });
    bound.release();
    expect((await faultOf(() => bound.run())).code).toBe('runtime/disposed');
  });

  it('stop a run whose signal was set before it began', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const before = engine.ledger.snapshot().runs;
    const fault = await faultOf(() => session.run(feeds({ a, b }), { signal }));
    expect(fault).toMatchObject({ code: 'runtime/cancelled', path: 'pair', cause: reason });
    const bound = session.bind(feeds({ a, b }), feeds({ sum: zeros('float32', [2, 3]) }));
    expect((await faultOf(() => bound.run(signal))).code).toBe('runtime/cancelled');
    bound.release();
    expect(engine.ledger.snapshot().runs).toBe(before);
  });
});

describe('a long run on the C API', async () => {
  const engine = await openEngine({ backend: 'c-api', threads: 1 });

  it('leaves the event loop free, stops on its signal, and leaves the session fit for use', async () => {
    const session = await engine.createSession(power(3000), { name: 'power' });
    const handles = engine.ledger.snapshot().nativeHandles;
    const stop = new AbortController();
    let ended = false;
    const run = session.run(feeds({ x: zeros('float32', [384, 384]) }), { signal: stop.signal });
    const fault = faultOf(() => run).finally(() => {
      ended = true;
    });
    for (let i = 0; i < 5; i++) await sleep(1);
    expect(ended).toBe(false);
    stop.abort();
    expect((await fault).code).toBe('runtime/cancelled');
    expect(engine.ledger.snapshot().nativeHandles).toBe(handles);
    const one = tensor('float32', [1, 1], Float32Array.of(1));
    expect((await session.run(feeds({ x: one }))).get('y')).toEqual(one);
    session.dispose();
  });

  it('stops with all others of its session that have its signal, also when the session is disposed meanwhile', async () => {
    const handles = engine.ledger.snapshot().nativeHandles;
    const session = await engine.createSession(power(3000));
    const stop = new AbortController();
    const run = () => session.run(feeds({ x: zeros('float32', [384, 384]) }), { signal: stop.signal });
    const faults = [faultOf(run), faultOf(run)];
    await sleep(5);
    session.dispose();
    stop.abort();
    expect((await Promise.all(faults)).map(({ code }) => code)).toEqual(['runtime/cancelled', 'runtime/cancelled']);
    expect(engine.ledger.snapshot()).toMatchObject({ liveSessions: 0, nativeHandles: handles });
  });

  it('ends undisturbed when the session is disposed meanwhile', async () => {
    const session = await engine.createSession(power(50));
    const bound = session.bind(feeds({ x: float32([1, 1], [1]) }), feeds({ y: zeros('float32', [1, 1]) }));
    const runs = [session.run(feeds({ x: float32([1, 1], [-1]) })), bound.run()] as const;
    session.dispose();
    expect(engine.ledger.snapshot().liveSessions).toBe(1);
    expect((await runs[0]).get('y')!.data[0]).toBe(-1);
    await runs[1];
    expect(engine.ledger.snapshot()).toMatchObject({ liveSessions: 0, nativeHandles: 0 });
  });

  it('hands out what it made itself although the session is disposed meanwhile', async () => {
    const session = await engine.createSession(nonZero);
    const run = session.run(feeds({ x: float32([3], [1, 0, 1]) }));
    session.dispose();
    expect((await run).get('where')).toEqual(int64([1, 2], [0, 2]));
    expect(engine.ledger.snapshot().nativeHandles).toBe(0);
  });
});

function port(name: string) {
  return { name, dtype: 'float32', shape: ['N'] } as const;
}
