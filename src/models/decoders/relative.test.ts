import { expect, it } from 'vitest';
import { fixtureJson } from '../../../test/support/fixtures.ts';
import { relativeBucket } from './relative.ts';

interface Buckets {
  readonly buckets: {
    readonly distances: readonly number[];
    readonly bidirectional: readonly number[];
    readonly causal: readonly number[];
  };
}

const plan = { heads: 1, buckets: 32, maxDistance: 128 };
const bothWays = (distance: number) => relativeBucket(distance, { ...plan, bidirectional: true });
const backwards = (distance: number) => relativeBucket(distance, { ...plan, bidirectional: false });

it('distances fall into the buckets of transformers', () => {
  const { buckets } = fixtureJson('encoder-decoder/t5/expected.json') as Buckets;
  expect(buckets.distances.map(bothWays)).toEqual(buckets.bidirectional);
  expect(buckets.distances.map(backwards)).toEqual(buckets.causal);
});

it('and what is far falls into the last one', () => {
  expect([bothWays(-1000), bothWays(1000), backwards(-1000), backwards(1000)]).toEqual([15, 31, 31, 0]);
  expect([bothWays(-127), bothWays(-128), backwards(-127)]).toEqual([15, 15, 31]);
});
