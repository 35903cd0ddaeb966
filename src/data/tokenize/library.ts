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
    return new LibraryTokenizer(layout.tokenizer, layout.config);
  } catch (error) {
    throw asTesseraError(error, { code: 'tokenize/layout', path: 'tokenizer.json' });
  }
}
