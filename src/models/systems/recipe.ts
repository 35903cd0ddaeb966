import type { Named } from '../../base/index.ts';
import type { ConfigJson } from '../config.ts';
import type { Capability } from '../model.ts';
import type { SizeName, VocabularyFacts } from '../sizes.ts';

/** One key of a recipe's model section, and what it may be: a folder, a built-in size, one of some words, or a number. */
export interface RecipeKey {
  readonly says: string;
  readonly value: 'folder' | 'size' | readonly string[] | { readonly from: number; readonly to: number };
}

/** What a joined model is made of. */
export interface JoinedParts {
  readonly vision: ConfigJson;
  readonly language: ConfigJson;
  /** Absent for a system that sees images from beside the text. */
  readonly imageTokenId: number | undefined;
  /** Ids of special tokens, those that its record names among them. */
  readonly tokenIds: Named<number>;
  /** The model section of the recipe. */
  readonly values: Named<unknown>;
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
  /** `config.json` of a new model of a built-in size, with a vocabulary of its own. */
  readonly fresh?: (
    size: SizeName,
    vocabulary: VocabularyFacts,
    parts: Pick<JoinedParts, 'tokenIds' | 'values'>,
  ) => ConfigJson;
  /**
   * Special tokens that a new model has beside that of images, by the model section of the recipe; they are added to a
   * tokenizer that lacks them.
   */
  readonly tokens?: (values: Named<unknown>) => readonly string[];
  /**
   * The one of these that ends a text, as the language model's own end does: a new row for it starts as that one's, so
   * that a frozen model expects it where it expects its own.
   */
  readonly ends?: string;
  /** `config.json` of a new model that is joined from the folders named by the keys `vision` and `language`. */
  readonly joined?: (parts: JoinedParts) => ConfigJson;
  /** What its models can do; an objective needs one of it. */
  readonly does: readonly Capability[];
  /** The path of its language model in the parameter tree, `''` for all of it; adapters go there. Absent where it has none. */
  readonly language?: string;
  /** Its models see images from beside the text: no token marks them. */
  readonly beside?: boolean;
  /** It takes images, so that a stage has to say its prompt, and questions about them can be asked. */
  readonly seesImages: boolean;
  /** Images may stand anywhere in what its models read. */
  readonly interleaved?: boolean;
}
