import { describe, expect, it } from 'vitest';
import { maxRelative } from '../../../test/support/compare.ts';
import { answer, marked, pairBatch, pairProgram, tokenLogProbs } from '../../../test/support/pairs.ts';
import { tinyLlama } from '../../../test/support/stages.ts';
import type { Example } from '../../data/index.ts';
import { unitsOf } from '../objective.ts';
import { objectiveNamed } from './index.ts';

const prompt = [1, 4, 7];
const rows = [
  marked(answer(prompt, [3, 9, 12, 5, 2]), [0, 1, 1, 2, 0]),
  marked(answer(prompt, [3, 10, 6, 8, 2]), [0, 1, 2, 2, 0]),
  answer([1, 8], [6, 13, 2]),
  marked(answer(prompt, [11, 5, 2]), [1, 0, 0]),
  marked(answer(prompt, [14, 5, 2]), [1, 0, 0]),
  answer([1, 9], [16, 2]),
];
const softplus = (x: number) => Math.log1p(Math.exp(x));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

async function open(options: Record<string, number> = {}, own = true) {
  const objective = objectiveNamed('halva', options);
  return { ...(await pairProgram(tinyLlama, objective, !own)), totals: unitsOf(objective, rows, 1) };
}

describe('halva', () => {
  it('compares each phrase with the one in its place, in a mean over all phrases', async () => {
    const { model, store, objective, program, totals } = await open({ alpha: 0.3 });
    const logs = await Promise.all(rows.map((row) => tokenLogProbs(model, store, row)));
    const of = (row: number, ...at: number[]) => sum(at.map((t) => (logs[row] as number[])[t] as number));
    const ratios = [of(1, 1) - of(0, 1, 2), of(1, 2, 3) - of(0, 3), of(4, 0) - of(3, 0)];
    expect(totals.phrase).toBe(3);
    const { loss, metrics } = await program.run(pairBatch(objective, rows), totals);
    expect(metrics.align).toBeCloseTo(sum(ratios.map(softplus)) / 3, 5);
    expect(metrics.phrase_accuracy).toBeCloseTo(ratios.filter((z) => z < 0).length / 3, 6);
    expect(metrics.kl).toBeGreaterThan(1e-3);
    expect(loss).toBeCloseTo((metrics.align as number) + 0.3 * (metrics.kl as number), 5);
    await program.dispose();
  });

  it('has no divergence from itself, and counts empty slots with log 2', async () => {
    const { objective, program, totals } = await open({}, false);
    const { loss, metrics } = await program.run(pairBatch(objective, rows), totals);
    expect(Math.abs(metrics.kl as number)).toBeLessThan(1e-5);
    await program.dispose();
    const filled = await open({ slots: 2 }, false);
    expect(filled.totals.phrase).toBe(4);
    const { loss: with4 } = await filled.program.run(pairBatch(filled.objective, rows), filled.totals);
    expect(with4).toBeCloseTo((3 * loss + Math.LN2) / 4, 5);
    await filled.program.dispose();
  });

  it('is the same however a batch is padded or split', async () => {
    const { objective, program, gradients, totals } = await open();
    const whole = await program.run(pairBatch(objective, rows), totals, { into: gradients });
    const gradient = gradients.flat.slice();
    const wide = await program.run(pairBatch(objective, rows, { width: 13 }), totals, { into: gradients });
    expect(wide.loss).toBeCloseTo(whole.loss, 6);
    expect(maxRelative(gradients.flat, gradient)).toBeLessThan(1e-5);
    const parts = new Float64Array(gradient.length);
    let loss = 0;
    for (const sample of [rows.slice(0, 3), rows.slice(3)]) {
      loss += (await program.run(pairBatch(objective, sample), totals, { into: gradients })).loss;
      gradients.flat.forEach((value, i) => {
        parts[i] = (parts[i] as number) + value;
      });
    }
    expect(loss).toBeCloseTo(whole.loss, 5);
    expect(maxRelative(Float32Array.from(parts), gradient)).toBeLessThan(1e-5);
    expect([...objective.sizes(rows).sizes].sort()).toEqual(
      [
        ['answers', 6],
        ['kept', 5],
        ['phrases', 3],
        ['targets', 13],
        ['told', 8],
      ].sort(),
    );
    await program.dispose();
  });

  it('refuses a pair in which a phrase has no token of its own', () => {
    const { fault } = objectiveNamed('halva');
    expect(fault?.(rows.slice(0, 3))).toBeUndefined();
    const [chosen, rejected, kept] = rows as [Example, Example, Example];
    expect(fault?.([chosen, marked(answer(prompt, [3, 10, 2]), [0, 1, 0]), kept])).toMatchObject({
      code: 'row/phrases',
    });
    expect(fault?.([answer(prompt, [3, 2]), rejected, kept])).toMatchObject({ code: 'row/phrases' });
  });
});
