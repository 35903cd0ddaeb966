import { describe, expect, it } from 'vitest';
import { float32, int32, type Tensor } from '../../src/base/index.ts';
import { loadModel } from '../../src/models/index.ts';
import { type CausalBatch, type CausalResult, referenceBatch, runCausal } from '../support/causal.ts';
import { maxAbsolute } from '../support/compare.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from '../support/fixtures.ts';

/** Four rows with two images, one, none and two, padded to the longest. */
const folder = 'llava/v1.5-multi';
const loaded = loadModel(fixture(folder));
const expected = fixtureTensors(`${folder}/expected.safetensors`);
const { imagesPerRow } = fixtureJson(`${folder}/expected.json`) as { imagesPerRow: readonly number[] };
const mask = numbers(expected.get('attention_mask'));
const whole = referenceBatch(expected, loaded.model.image?.tokenId);
const [rowCount, length] = whole.ids.shape as [number, number];
const total = whole.targetIds.data.length;

/** Of the whole gradient's Euclidean length. */
const SPLIT = 1e-6;

/** Rows `from..to` on a grid of another width: what is cut off or added there is padding. */
function part(from: number, to: number, width = length): CausalBatch {
  const within = (flat: number) => flat >= from * length && flat < to * length;
  const place = (flat: number) => (Math.floor(flat / length) - from) * width + (flat % length);
  const column = (values: readonly number[]) => int32([values.length], values);
  const placed = (t: Tensor | undefined) => column(numbers(t).filter(within).map(place));
  const ids = numbers(whole.ids);
  const row = (r: number) =>
    Array.from({ length: width }, (_, i) => (i < length ? (ids[r * length + i] as number) : 0));
  const targetRows = numbers(whole.targetRows);
  const targetIds = numbers(whole.targetIds).filter((_, i) => within(targetRows[i] as number));
  return {
    ids: int32([to - from, width], Array.from({ length: to - from }, (_, i) => row(from + i)).flat()),
    rows: placed(whole.rows),
    targetRows: placed(whole.targetRows),
    targetIds: column(targetIds),
    pixels: imagesOf(from, to),
    imageRows: placed(whole.imageRows),
  };
}

function imagesOf(from: number, to: number): Tensor {
  const [, ...image] = (whole.pixels as Tensor).shape;
  const size = image.reduce((a, b) => a * b, 1);
  const before = imagesPerRow.slice(0, from).reduce((a, b) => a + b, 0);
  const count = imagesPerRow.slice(from, to).reduce((a, b) => a + b, 0);
  return float32([count, ...image], numbers(whole.pixels).slice(before * size, (before + count) * size));
}

const longest = (row: number) => mask.slice(row * length, (row + 1) * length).reduce((a, b) => a + b, 0);
const run = (batch: CausalBatch) => runCausal(loaded, batch, { scale: 1 / total });

/** Losses and gradients of the parts of a step, added. */
function sum(parts: readonly CausalResult[]): Pick<CausalResult, 'loss' | 'grads'> {
  const grads = new Map<string, number[]>();
  for (const { grads: some } of parts) {
    for (const [name, grad] of some) {
      const sofar = grads.get(name);
      grads.set(name, sofar ? grad.map((g, i) => g + (sofar[i] as number)) : grad);
    }
  }
  return { loss: parts.reduce((n, { loss }) => n + loss, 0), grads };
}

function expectSame(got: Pick<CausalResult, 'loss' | 'grads'>, reference: CausalResult): void {
  expect(Math.abs(got.loss - reference.loss) / reference.loss).toBeLessThan(SPLIT);
  expect([...got.grads.keys()].sort()).toEqual([...reference.grads.keys()].sort());
  let gap = 0;
  let size = 0;
  for (const [name, grad] of reference.grads) {
    const ours = got.grads.get(name) as number[];
    grad.forEach((g, i) => {
      gap += (g - (ours[i] as number)) ** 2;
      size += g * g;
    });
  }
  expect(Math.sqrt(gap / size)).toBeLessThan(SPLIT);
}

describe('a step does not depend on how its rows are grouped', async () => {
  const reference = await run(whole);

  it.each([2, 1])('batches of %i accumulate to the batch of four', async (size) => {
    const starts = Array.from({ length: rowCount / size }, (_, i) => i * size);
    const parts = await Promise.all(starts.map((from) => run(part(from, from + size))));
    expectSame(sum(parts), reference);
  });

  it('rows without their padding accumulate to the padded batch', async () => {
    const rows = Array.from({ length: rowCount }, (_, row) => run(part(row, row + 1, longest(row))));
    expectSame(sum(await Promise.all(rows)), reference);
  });

  it('more padding on the right changes nothing', async () => {
    const padded = await run(part(0, rowCount, length + 7));
    expect(maxAbsolute(padded.logits, reference.logits)).toBeLessThan(1e-6);
    expectSame(padded, reference);
  });

  it('what stands in the padding changes nothing', async () => {
    const ids = int32(
      whole.ids.shape,
      numbers(whole.ids).map((id, i) => (mask[i] ? id : 9)),
    );
    expect(numbers(ids)).not.toEqual(numbers(whole.ids));
    const other = await run({ ...whole, ids });
    expect(other.logits).toEqual(reference.logits);
    expect(other.loss).toBe(reference.loss);
  });
});
