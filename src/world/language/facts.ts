import type { ShapeName } from '../attributes.ts';

/** What the world knows about its things, beyond how they look. */
export interface Fact {
  readonly shapes: readonly ShapeName[];
  /** "could roll off the table" */
  readonly can: string;
  /** Why, after "because": "it is round". */
  readonly because: string;
}

export const facts: readonly Fact[] = [
  { shapes: ['ball', 'ring'], can: 'roll', because: 'it is round' },
  { shapes: ['cup', 'bottle'], can: 'hold water', because: 'it is hollow' },
  { shapes: ['mushroom'], can: 'grow in a forest', because: 'it is alive' },
  { shapes: ['arrow'], can: 'show the way', because: 'it has a point' },
  { shapes: ['cone', 'star'], can: 'prick a finger', because: 'it has a point' },
];
