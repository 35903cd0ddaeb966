import { describe, expect, it } from 'vitest';
import { backends, feeds, power, sumAndProduct } from '../../test/support/onnx-models.ts';
import { float32, type Tensor, zeros } from '../base/index.ts';
import { openEngine } from './index.ts';

describe.each(backends)('lifetimes on %s', async (backend) => {
  const engine = await openEngine({ backend, threads: 1 });

  it('stay flat over 200 sessions, with runs, bound runs and faults', async () => {
    const a = float32([1, 2], [1, 2]);
    for (let i = 0; i < 200; i++) {
      const session = await engine.createSession(sumAndProduct);
      const bound = session.bind(feeds({ a, b: a }), feeds({ sum: zeros('float32', [1, 2]) }));
      await session.run(feeds({ a, b: a }));
      await bound.run();
      await session.run(feeds({ a })).catch(() => undefined);
      if (i % 2 === 0) bound.release();
      session.dispose();
    }
    expect(engine.ledger.snapshot()).toMatchObject({
      sessionsBuilt: 200,
      liveSessions: 0,
      runs: 400,
      nativeHandles: 0,
      nativeBytes: 0,
    });
  });

  it('count what is alive', async () => {
    const session = await engine.createSession(sumAndProduct);
    const { liveSessions, nativeBytes, nativeHandles } = engine.ledger.snapshot();
    expect({ liveSessions, nativeBytes }).toEqual({ liveSessions: 1, nativeBytes: sumAndProduct.byteLength });
    expect(nativeHandles).toBe(backend === 'c-api' ? 1 : 0);
    session.dispose();
  });

  it('keep runs apart that are under way at once, in two sessions and in one', async () => {
    const sessions = [await engine.createSession(power(3)), await engine.createSession(power(5))];
    const runs = Array.from({ length: 40 }, async (_, i) => {
      const out = await sessions[i % 2]!.run(feeds({ x: float32([1, 1], [i % 8]) }));
      return out.get('y')!.data[0];
    });
    const expected = runs.map((_, i) => (i % 8) ** (i % 2 === 0 ? 4 : 6));
    expect(await Promise.all(runs)).toEqual(expected);
    for (const session of sessions) session.dispose();
  });

  it('keep the arrays of a run that nobody else keeps', async () => {
    const session = await engine.createSession(power(40));
    const runs = Array.from({ length: 8 }, (_, i) => session.run(feeds({ x: identity(256, i) })));
    for (let i = 0; i < 60; i++) {
      new Float32Array(1 << 20).fill(i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const corners = (await Promise.all(runs)).map((out) => out.get('y')!.data.at(-1));
    expect(corners).toEqual(runs.map((_, i) => i % 2));
    session.dispose();
  });

  it('hold small arrays still while garbage is made', async () => {
    const session = await engine.createSession(sumAndProduct);
    const results: Tensor[] = [];
    for (let i = 0; i < 200; i++) {
      const x = float32([1, 1], [i]);
      const bound = session.bind(feeds({ a: x, b: x }), feeds({ sum: zeros('float32', [1, 1]) }));
      const garbage = Array.from({ length: 2000 }, (_, j) => new Float32Array(4).fill(j));
      await bound.run();
      results.push((await session.run(feeds({ a: x, b: float32([1, 1], [garbage.length]) }))).get('sum')!);
      bound.release();
    }
    expect(results.map(({ data }) => data[0])).toEqual(results.map((_, i) => i + 2000));
    session.dispose();
  });
});

/** `[n, n]` with `value % 2` on the diagonal. */
function identity(n: number, value: number): Tensor {
  const x = zeros('float32', [n, n]);
  for (let i = 0; i < n; i++) x.data[i * n + i] = value % 2;
  return x;
}
