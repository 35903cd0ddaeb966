import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import type { Layout } from './layout.ts';

// The one file that imports the library.

export type { LibraryTokenizer };

/**
 * The library's tokenizer of a layout.
 * @throws TesseraError `tokenize/unsupported` where it rewrites its text, and `tokenize/layout`
 */
export function openLibrary(layout: Layout): LibraryTokenizer {
  for (const flag of ['remove_space', 'do_lowercase_and_remove_accent']) {
    if (layout.config[flag] !== true) continue;
    throw new TesseraError({
      code: 'tokenize/unsupported',
      message: `a tokenizer with ${flag} rewrites its text, so its tokens cannot be traced back to characters`,
      path: `tokenizer_config.json ${flag}`,
    });
  }
  try {
    const library = new LibraryTokenizer(layout.tokenizer, layout.config);
    takeOutAdded(library, layout);
    return library;
  } catch (error) {
    throw asTesseraError(error, { code: 'tokenize/layout', path: 'tokenizer.json' });
  }
}

/** The library puts added tokens into the model's vocabulary, where a piece of text that is spelled alike finds them. */
function takeOutAdded({ model }: LibraryTokenizer, { added, pieces }: Layout): void {
  for (const { content } of added) if (!pieces.has(content)) model?.tokens_to_ids.delete(content);
}

/** Ids of the tokens of the model and of those added to it. */
export function idsOf(library: LibraryTokenizer, { added }: Layout): (token: string) => number | undefined {
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  return (token) => ids.get(token) ?? library.token_to_id(token);
}
