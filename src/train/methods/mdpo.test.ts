import { describe, expect, it } from 'vitest';
import { sharedEngine } from '../../../test/support/evaluate.ts';
import { answer, pairBatch, pixels, policyAndReference, tokenLogProbs } from '../../../test/support/pairs.ts';
import { tinyLlava } from '../../../test/support/stages.ts';
import type { ImageMedia, Row } from '../../data/index.ts';
import { LossProgram } from '../program.ts';
import { objectiveNamed } from './index.ts';

const prompt = [23, 23, 23, 23, 4, 7];
const [chosen, rejected] = [answer(prompt, [3, 9, 2]), answer(prompt, [5, 11, 6, 2])];
const totals = { token: 1, sample: 1, batch: 1 };
const softplus = (x: number) => Math.log1p(Math.exp(x));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('mdpo', () => {
  it('compares answers, images, and the chosen answer with its anchor', async () => {
    const { model, store, reference } = policyAndReference(tinyLlava);
    const [image, corrupted] = [pixels(1), pixels(2)];
    const ratio = async (row: typeof chosen, shown: Float32Array) =>
      sum(await tokenLogProbs(model, store, row, shown)) - sum(await tokenLogProbs(model, reference, row, shown));
    const [w, l, m] = [await ratio(chosen, image), await ratio(rejected, image), await ratio(chosen, corrupted)];
    expect(Math.min(Math.abs(w - l), Math.abs(w - m))).toBeGreaterThan(1e-3);
    const [beta, delta] = [0.4, 0.1];
    const terms = [softplus(-beta * (w - l)), softplus(-beta * (w - m)), softplus(delta - beta * w)] as const;
    for (const [conditional, anchored] of [
      [true, true],
      [false, true],
      [true, false],
    ] as const) {
      const objective = objectiveNamed('mdpo', { beta, delta, conditional, anchored });
      const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, reference });
      const batch = pairBatch(objective, [chosen, rejected, chosen], { images: [image, image, corrupted] });
      const { loss } = await program.run(batch, totals);
      expect(loss).toBeCloseTo(terms[0] + (conditional ? terms[1] : 0) + (anchored ? terms[2] : 0), 5);
      await program.dispose();
    }
  });

  it('shows the chosen answer beside a small part of its image: one a row and seed', () => {
    const { makes, views } = objectiveNamed('mdpo');
    expect(views).toEqual(['chosen', 'rejected', 'corrupted']);
    const row = (id: string): Row => ({ id, where: id, turns: [], media: [{ kind: 'image', path: '/a.png' }] });
    const cropOf = (id: string, seed = 0) => {
      const [image] = makes?.corrupted?.({ chosen: row(id) }, seed).media ?? [];
      return (image as ImageMedia | undefined)?.change?.crop as readonly number[];
    };
    expect(cropOf('1')).toEqual(cropOf('1'));
    expect(cropOf('1')).not.toEqual(cropOf('2'));
    expect(cropOf('1')).not.toEqual(cropOf('1', 1));
    for (let i = 0; i < 500; i++) {
      const [left, top, width, height] = cropOf(`${i}`) as [number, number, number, number];
      expect(width * height).toBeGreaterThanOrEqual(0.01);
      expect(width * height).toBeLessThanOrEqual(0.2);
      expect(Math.abs(Math.log(width / height))).toBeLessThanOrEqual(Math.log(4 / 3) + 1e-9);
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(1);
    }
  });

  it('refuses a pair without an image', () => {
    expect(objectiveNamed('mdpo').fault?.([chosen, rejected, chosen])).toMatchObject({ code: 'row/pair' });
  });
});
