import type { Named } from '../../base/index.ts';
import type { RecipeKey, SystemRecipe } from './recipe.ts';

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

/** The folders that a joined model is made of. */
export const partFolders: Named<RecipeKey> = {
  vision: { value: 'folder', says: 'folder of the image encoder' },
  language: { value: 'folder', says: 'folder of the language model and its tokenizer' },
};

/** Why a joined model takes no size. */
export const sizeOfFolders: NonNullable<SystemRecipe['refuses']> = {
  size: {
    message: 'the vision and language folders already say the size',
    remedy: 'take size out; for another size give other folders to model.vision and model.language',
  },
};
