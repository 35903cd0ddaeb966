import { type Named, Random } from '../../base/index.ts';
import type { Media, Row } from '../../data/index.ts';
import { conditionalPreferenceLoss } from '../../objectives/index.ts';
import { method } from '../objective.ts';
import { overPairs, saysOfBeta } from './pairs.ts';

/** Smallest and largest share of an image's area that its corruption shows, and the most that its sides differ by. */
const AREA = [0.01, 0.2] as const;
const ASPECT = 4 / 3;

/** mDPO (Wang et al. 2024): DPO, the same on the image, and an anchor under the chosen answer. */
export const mdpo = method({
  says: 'a chosen answer over a rejected one, and over itself beside a corrupted image',
  options: {
    beta: { says: saysOfBeta, value: 0.1 },
    delta: { says: 'what the reward of a chosen answer should reach', value: 0 },
    conditional: { says: 'prefer the image to a corrupted one', value: true },
    anchored: { says: 'keep the chosen answer from losing probability', value: true },
  },
  objective: ({ beta, ...terms }) =>
    overPairs({
      name: 'mdpo',
      views: ['chosen', 'rejected', 'corrupted'],
      makes: { corrupted: ({ chosen }: Named<Row>, seed) => besideCrops(chosen as Row, seed) },
      fault([chosen]) {
        if (chosen?.media.some(({ media }) => media.kind === 'image')) return undefined;
        return {
          code: 'row/pair',
          message: 'the objective compares images, and the pair has none',
          ...(chosen && { path: chosen.where }),
          expected: 'a pair of answers about an image',
          got: 'no image',
        };
      },
      beta,
      loss: (chosen, rejected, corrupted) =>
        conditionalPreferenceLoss({ chosen, rejected, corrupted }, { beta, ...terms }),
    }),
});

/** The row with each image replaced by a small part of it, as large as it was: one draw a row, for policy and reference. */
function besideCrops(row: Row, seed: number): Row {
  const random = new Random(seed, 'corrupted', row.where, row.id);
  const media = row.media.map((medium): Media => {
    if (medium.kind !== 'image') return medium;
    const area = AREA[0] + random.next() * (AREA[1] - AREA[0]);
    const aspect = ASPECT ** (2 * random.next() - 1);
    const [width, height] = [Math.sqrt(area * aspect), Math.sqrt(area / aspect)];
    const crop = [random.next() * (1 - width), random.next() * (1 - height), width, height] as const;
    return { ...medium, change: { crop } };
  });
  return { ...row, media };
}
