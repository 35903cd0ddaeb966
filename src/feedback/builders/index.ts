import { aspectScores } from './aspect-scores.ts';
import type { Builder } from './builder.ts';
import { correctedSpans } from './corrected-spans.ts';
import { swappedPhrases } from './swapped-phrases.ts';

const table = {
  'corrected-spans': correctedSpans,
  'aspect-scores': aspectScores,
  'swapped-phrases': swappedPhrases,
} satisfies Record<string, Builder>;

export type BuilderName = keyof typeof table;

/** The ways to make pairs, by the names that recipes give them. */
export const builders: Readonly<Record<BuilderName, Builder>> = table;

export const builderNames = Object.keys(table) as BuilderName[];
