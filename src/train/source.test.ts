import { describe, expect, it } from 'vitest';
import { imageTokens } from '../../test/support/processor.ts';
import { type Tensor, TesseraError } from '../base/index.ts';
import { type Example, type MediaLoader, type MediaPlan, mediaKey, planBatches } from '../data/index.ts';
import type { Batch } from './batch.ts';
import { objectiveNamed } from './methods/index.ts';
import { exampleSizes, exampleSource, type SourceOptions } from './source.ts';

const processor = imageTokens(2);

/** Row i has a first token of its own, `4 + i % 5` tokens, and an image where `i` is even. */
const examples = Array.from({ length: 11 }, (_, i): Example => {
  const length = 4 + (i % 5);
  const image = { kind: 'image', path: `${i}` } as const;
  const plan = processor.plan?.(image, () => []) as MediaPlan;
  const media = i % 2 ? [] : [{ media: image, input: 'ids', start: 1, tokens: 2, plan }];
  const [id, where] = [`row ${i}`, `row ${i}`];
  const ids = new Int32Array(length).fill(9).fill(100 + i, 0, 1);
  return { id, where, ids, supervised: new Uint8Array(length).fill(1, 3), media };
});

const media: MediaLoader = {
  load: async (all) =>
    all.map(({ media: shown }) => ({
      pixels: { dtype: 'float32', shape: [1, 1], data: Float32Array.of(Number(mediaKey(shown))) },
    })),
};

function options(changes: Partial<SourceOptions> = {}): SourceOptions {
  const plan = planBatches({ count: examples.length, batch: 4, seed: 3 });
  const objective = objectiveNamed('lm');
  const samples = examples.map((example) => [example]);
  return { samples, plan, accumulate: 1, lanes: 2, padId: 0, processor, media, objective, ...changes };
}

const feed = (batch: Batch, name: string) => batch.feeds.get(name) as Tensor<'int32'>;

/** The first tokens of the rows of a batch. */
function rowsOf(batch: Batch): number[] {
  const { shape, data } = feed(batch, 'ids');
  return Array.from({ length: batch.rows }, (_, row) => data[row * (shape[1] as number)] as number);
}

describe('exampleSource', () => {
  it('ends an epoch with the passes that are left: no row comes twice in it', async () => {
    for (const [accumulate, steps] of [
      [2, 2],
      [3, 1],
      [32, 1],
    ] as const) {
      const source = exampleSource(options({ accumulate }));
      expect(source.stepsPerEpoch).toBe(steps);
      const epochs = [0, 1].map(async (epoch) => {
        const read = await Promise.all(Array.from({ length: steps }, (_, i) => source.step(epoch * steps + i)));
        return read.flat(2).flatMap(rowsOf);
      });
      const [first, second] = (await Promise.all(epochs)) as [number[], number[]];
      for (const epoch of [first, second]) expect([...epoch].sort()).toEqual(examples.map((_, i) => 100 + i).sort());
      expect(first).not.toEqual(second);
    }
  });

  it('names the row of an image that has become unreadable', async () => {
    const lost: MediaLoader = {
      load: async ([first]) => {
        if (!first || mediaKey(first.media) !== '4') return media.load(first ? [first] : []);
        throw new TesseraError({ code: 'image/corrupt', message: 'the image cannot be decoded', path: '/4.png' });
      },
    };
    const source = exampleSource(options({ media: lost }));
    const steps = Array.from({ length: 3 }, (_, step) => source.step(step));
    const faults = (await Promise.allSettled(steps)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(faults).toMatchObject([{ code: 'image/corrupt', path: 'row 4: /4.png' }]);
  });

  it('puts the next sample that can be read in the place of one that cannot, the same from wherever it starts', async () => {
    const lost: MediaLoader = {
      load: async (all) => {
        const bad = all.find((one) => ['4', '10'].includes(mediaKey(one.media)));
        if (bad) throw new TesseraError({ code: 'image/corrupt', message: 'the image cannot be decoded' });
        return media.load(all);
      },
    };
    const readAll = async (from: readonly number[] = []) => {
      const known = new Set(from);
      const told: number[] = [];
      const passedOver = { has: (at: number) => known.has(at), add: (at: number) => told.push(at) && known.add(at) };
      const source = exampleSource(options({ media: lost, passedOver }));
      const steps = [await source.step(0), await source.step(1), await source.step(2)];
      return { rows: steps.flat(2).flatMap(rowsOf), told };
    };
    const { rows, told } = await readAll();
    expect([...rows].sort((a, b) => a - b)).toEqual([100, 100, 101, 102, 103, 105, 105, 106, 107, 108, 109]);
    expect(told.sort()).toEqual([10, 4]);
    expect(await readAll([4, 10])).toEqual({ rows, told: [] });
  });

  it('ends with the fault of a sample when none is left', async () => {
    const lost: MediaLoader = {
      load: async () => {
        throw new TesseraError({ code: 'image/corrupt', message: 'the image cannot be decoded' });
      },
    };
    const known = new Set<number>();
    const passedOver = { has: (at: number) => known.has(at), add: (at: number) => void known.add(at) };
    const source = exampleSource(options({ media: lost, passedOver }));
    await expect(source.step(0)).rejects.toMatchObject({ code: 'image/corrupt' });
    expect(known.size).toBe(11);
  });

  it('puts the same rows in two lanes as in one, each padded to its own longest', async () => {
    const [two, one] = [exampleSource(options()), exampleSource(options({ lanes: 1 }))];
    for (let step = 0; step < 6; step++) {
      const [lanes, [whole]] = [await two.step(step), (await one.step(step)) as [[Batch]]];
      expect(lanes.length).toBe(whole[0].rows > 1 ? 2 : 1);
      const batches = lanes.flat();
      expect(batches.flatMap(rowsOf).sort()).toEqual(rowsOf(whole[0]).sort());
      expect(batches.reduce((n, batch) => n + batch.units.token, 0)).toBe(whole[0].units.token);
      for (const batch of batches) {
        const longest = Math.max(...rowsOf(batch).map((id) => (examples[id - 100] as Example).ids.length));
        expect(feed(batch, 'ids').shape).toEqual([batch.rows, longest]);
        // Every image is with its row.
        const [images, rows] = [batch.feeds.get('pixels'), batch.feeds.get('imageRows') as Tensor<'int32'>];
        const shown = [...(images?.data ?? [])].map((path) => Number(path) + 100);
        expect(shown).toEqual(rowsOf(batch).filter((id) => id % 2 === 0));
        const places = shown.map((_, i) => feed(batch, 'ids').data[(rows.data[2 * i] as number) - 1]);
        expect(places).toEqual(shown);
      }
    }
  });

  it('gives every lane one batch a pass', async () => {
    const lanes = await exampleSource(options({ accumulate: 2 })).step(0);
    expect(lanes.map((lane) => lane.length)).toEqual([2, 2]);
    expect(exampleSource(options({ accumulate: 2 })).stepsPerEpoch).toBe(2);
  });

  it('has nothing that depends on what was read before', async () => {
    const [straight, jumping] = [exampleSource(options()), exampleSource(options())];
    const steps = [await straight.step(0), await straight.step(1), await straight.step(2)];
    expect(await jumping.step(2)).toEqual(steps[2]);
  });
});

describe('exampleSizes', () => {
  it.each([1, 2] as const)('foretells the feeds of %i lanes', async (lanes) => {
    const made = options({ accumulate: 2, lanes });
    const source = exampleSource(made);
    const read = (await Promise.all([0, 1].map((step) => source.step(step)))).flat(2);
    const sizes = read.map((batch) => {
      const shape = (name: string) => batch.feeds.get(name)?.shape ?? [0];
      const [B, T] = shape('ids') as [number, number];
      return { B, T, N: shape('pixels')[0], R: shape('imageRows')[0], K: shape('targetRows')[0] };
    });
    const foretold = exampleSizes(made, 100);
    const inOrder = (all: readonly object[]) => all.map((one) => JSON.stringify(one)).sort();
    expect(inOrder(foretold.batches.map((batch) => Object.fromEntries(batch.sizes)))).toEqual(inOrder(sizes));
    expect(foretold.media).toEqual(Array(6).fill(1));
  });
});
