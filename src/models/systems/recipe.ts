import type { Named } from '../../base/index.ts';
import type { Capability } from '../model.ts';

/** One key of a recipe's model section, and what it may be: a folder, a built-in size, one of some words, or a number. */
export interface RecipeKey {
  readonly says: string;
  readonly value: 'folder' | 'size' | readonly string[] | { readonly from: number; readonly to: number };
}

/** How recipes speak of an architecture: what its new models are made of, and what they can be trained for. */
export interface SystemRecipe {
  readonly keys: Named<RecipeKey>;
  /** Keys that a new model needs, all of them. */
  readonly needs: readonly string[];
  /** Keys of which a new model needs one, by what they give. */
  readonly oneOf?: Named<{ readonly keys: readonly string[]; readonly expected: string }>;
  /** Keys that are known and never taken, with the reason and what to do. */
  readonly refuses?: Named<{ readonly message: string; readonly remedy: string }>;
  /** What its models can do; an objective needs one of it. */
  readonly does: readonly Capability[];
  /** The path of its language model in the parameter tree, `''` for all of it; adapters go there. Absent where it has none. */
  readonly language?: string;
  /** Images stand between the words, so that a stage has to say its prompt, and questions about them can be asked. */
  readonly seesImages: boolean;
}
