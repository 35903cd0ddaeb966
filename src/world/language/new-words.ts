import type { Split } from '../scene.ts';

/** Words that mean nothing, in the manner of studies of how children learn words. */
const words = [
  'dax',
  'wug',
  'blicket',
  'fep',
  'toma',
  'zup',
  'koba',
  'modi',
  'gazzer',
  'tulver',
  'pilk',
  'sibu',
  'norg',
  'vash',
  'lumo',
  'teeb',
  'kerf',
  'gorp',
  'ziff',
  'plim',
  'rabo',
  'snurk',
  'moxi',
  'yerg',
] as const;

/** The words of a split: those of training name nothing in any other. */
export function newWords(split: Split): readonly string[] {
  return words.filter((_, i) => (i % 2 === 0) === (split === 'train'));
}
