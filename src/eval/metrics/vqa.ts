import { TesseraError } from '../../base/index.ts';

const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

const numberWords = new Map([...digits.map((word, n) => [word, `${n}`] as const), ['none', '0']]);

const articles = new Set(['a', 'an', 'the']);

/** Contractions people type without the apostrophe, by ending; words that mean something else so are left out (`well`). */
const contractions = new Map(
  Object.entries({
    "n't": 'ai are ca could did does do had has have is might must need should was were wo would',
    "'ve": 'could i might must should they we what who would you',
    "'ll": 'it that they what who you',
    "'re": 'they what you',
    "'s": 'he here how let she that there what when where who',
    "'d": 'it that they there who you',
    "'m": 'i',
  }).flatMap(([ending, stems]) => stems.split(' ').map((stem) => [stem + ending.replace("'", ''), stem + ending])),
);

const punctuation = /[;/[\]"{}()=+\\_\-><@`,?!]/g;

/**
 * An answer as VQAv2 compares it (Antol et al. 2015): lower case, number words as digits, no articles, contractions
 * with their apostrophe, and no punctuation except the point and the comma's place inside numbers.
 */
export function normaliseAnswer(answer: string): string {
  return removePunctuation(answer.toLowerCase().trim())
    .split(/\s+/u)
    .map((word) => numberWords.get(word) ?? word)
    .filter((word) => word !== '' && !articles.has(word))
    .map((word) => contractions.get(word) ?? word)
    .join(' ');
}

/** A mark between two words separates them; next to a space, or with a comma inside a number, it just goes. */
function removePunctuation(text: string): string {
  const numeric = /\d,\d/.test(text);
  const kept = text.replace(punctuation, (mark, at: number) => {
    const beside = text[at - 1] === ' ' || text[at + 1] === ' ';
    return beside || (numeric && mark === ',') ? '' : ' ';
  });
  return kept.replace(/\.(?!\d)/g, '');
}

/**
 * VQA accuracy of one answer against ten human answers: the mean, over the ten ways to leave one out, of
 * `min(1, matches among the other nine / 3)`. With k matches: 0, .3, .6, .9, 1, 1, ...
 * @throws TesseraError `vqa/answers` when there are not ten.
 */
export function vqaAccuracy(answer: string, gold: readonly string[]): number {
  if (gold.length !== 10) {
    throw new TesseraError({
      code: 'vqa/answers',
      message: 'VQA accuracy is defined over ten answers',
      expected: '10 answers',
      got: `${gold.length}`,
      remedy: 'repeat a single gold answer ten times to score exact match',
    });
  }
  const said = normaliseAnswer(answer);
  const k = gold.filter((other) => normaliseAnswer(other) === said).length;
  return (k * Math.min(1, (k - 1) / 3) + (10 - k) * Math.min(1, k / 3)) / 10;
}
