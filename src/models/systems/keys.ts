import type { Named } from '../../base/index.ts';
import type { RecipeKey } from './recipe.ts';

/** Recipe keys that several systems have. */

export const builtinSize: RecipeKey = {
  value: 'size',
  says: 'built-in size of a new llama or clip model; for llava its folders say it',
};

/** A new model with words of its own. */
export const newWords: Named<RecipeKey> = {
  size: builtinSize,
  tokenizer: { value: 'folder', says: 'folder with a tokenizer' },
  vocab_size: {
    value: { from: 260, to: 1_000_000 },
    says: 'pieces of a tokenizer trained on the rows of the first stage',
  },
};

export const oneTokenizer = {
  keys: ['tokenizer', 'vocab_size'],
  expected: 'tokenizer (a folder) or vocab_size (train one of this many pieces)',
};
