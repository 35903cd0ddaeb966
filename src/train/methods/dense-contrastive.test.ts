import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../base/index.ts';
import type { Example, LabelledBox } from '../../data/index.ts';
import { objectiveNamed } from './index.ts';

const objective = objectiveNamed('dense-contrastive');

const example = (labels?: readonly LabelledBox[]): Example => ({
  id: 'a',
  where: 'row 1',
  ids: Int32Array.of(1),
  supervised: Uint8Array.of(1),
  media: [
    {
      media: { kind: 'image', path: 'a.png' },
      input: 'ids',
      start: 0,
      tokens: 0,
      plan: { ids: [], slots: {}, sizes: {}, read: () => ({}) },
    },
  ],
  ...(labels && { labels }),
});

/** Labels of each patch by its column and row, those of nothing left out. */
function labelled(labels: readonly LabelledBox[]): Record<string, readonly number[]> {
  const fed = objective.feeds([example(), example(labels)], 1).get('patchLabels');
  const { data, shape } = fed as Tensor<'int32'>;
  expect(shape).toEqual([2, 64 * 7]);
  const patches = Array.from({ length: 128 }, (_, i) => [...data.subarray(7 * i, 7 * i + 7)]);
  expect(
    patches
      .slice(0, 64)
      .flat()
      .every((label) => label === 0),
  ).toBe(true);
  const entries = patches.slice(64).map((values, i) => [`${i % 8},${Math.floor(i / 8)}`, values] as const);
  return Object.fromEntries(entries.filter(([, values]) => values.some((value) => value !== 0)));
}

describe('the labels of patches', () => {
  it('say what lies there, where its centre is, and which it is', () => {
    const labels = labelled([
      { box: [0, 0, 0.25, 0.125], classes: [12, 8, 1, 2] },
      { box: [0.75, 0.875, 1, 1], classes: [1, 2, 2, 3] },
    ]);
    expect(labels).toEqual({
      '0,0': [12, 8, 1, 2, 2, 1, 1],
      '1,0': [12, 8, 1, 2, 2, 1, 1],
      '6,7': [1, 2, 2, 3, 14, 15, 2],
      '7,7': [1, 2, 2, 3, 14, 15, 2],
    });
  });

  it('want half of a patch, and take what lies on top', () => {
    const [left, half] = [
      [1, 1, 1, 1],
      [2, 2, 2, 2],
    ];
    expect(Object.keys(labelled([{ box: [0, 0, 1.4 / 8, 0.125], classes: left }]))).toEqual(['0,0']);
    const both = labelled([
      { box: [0, 0, 0.25, 0.125], classes: left },
      { box: [0.125, 0, 0.25, 0.125], classes: half },
    ]);
    expect([both['0,0']?.[0], both['1,0']?.[0]]).toEqual([1, 2]);
  });

  it('are asked of every row, all of them and in range', () => {
    expect(objective.fault?.([example([])])).toBeUndefined();
    expect(objective.fault?.([example()])).toMatchObject({ code: 'row/labels', got: 'no labels', path: 'row 1' });
    const of = (classes: readonly number[]) => objective.fault?.([example([{ box: [0, 0, 1, 1], classes }])]);
    expect(of([1, 2, 3, 15])).toBeUndefined();
    expect(of([1, 2, 3])).toMatchObject({ code: 'row/labels', got: '[1,2,3]' });
    expect(of([1, 2, 3, 16])).toMatchObject({ code: 'row/labels' });
  });
});
