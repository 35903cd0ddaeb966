import { TesseraError } from '../../base/index.ts';
import { parseTokenizerFile } from './files.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/** How a special token stands in a file: found where it is written, with nothing around it. */
const special = { lstrip: false, normalized: false, rstrip: false, single_word: false, special: true };

/**
 * The tokenizer with one special token more, which gets the id after the largest; a token that it has already becomes
 * special. Its files say so, and other tools read the same ids from them.
 */
export function withSpecialToken(tokenizer: Tokenizer, content: string): Tokenizer {
  if (tokenizer.specials.has(content)) return tokenizer;
  const token = { id: tokenizer.idOf(content) ?? tokenizer.vocabSize, content, ...special };
  const files = new Map(tokenizer.files);
  files.set('tokenizer.json', json(withAdded(parseTokenizerFile(files, 'tokenizer.json'), token)));
  files.set('tokenizer_config.json', json(withListed(parseTokenizerFile(files, 'tokenizer_config.json'), token)));
  if (files.has('added_tokens.json')) {
    files.set('added_tokens.json', json({ ...parseTokenizerFile(files, 'added_tokens.json'), [content]: token.id }));
  }
  const made = createTokenizer(files);
  if (made.specials.get(content) === token.id) return made;
  throw new TesseraError({
    code: 'tokenize/add',
    message: 'the tokenizer gives an added token another id than the next',
    expected: `${token.id} for ${content}`,
    got: `${made.specials.get(content)}`,
    remedy: `add ${content} as a special token with the tool that made the tokenizer`,
  });
}

type Token = typeof special & { readonly id: number; readonly content: string };

function withAdded(file: Record<string, unknown>, token: Token): unknown {
  const others = ((file.added_tokens ?? []) as Token[]).filter(({ content }) => content !== token.content);
  return { ...file, added_tokens: [...others, token].sort((a, b) => a.id - b.id) };
}

/** Older files list the added tokens a second time, without which they count for nothing there. */
function withListed(file: Record<string, unknown>, { id, ...token }: Token): unknown {
  const listed = file.added_tokens_decoder;
  return listed === undefined ? file : { ...file, added_tokens_decoder: { ...(listed as object), [id]: token } };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
