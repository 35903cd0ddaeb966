/** An entry of `added_tokens` in `tokenizer.json`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** An added token as it is looked for: by its own text, or by what the normalizer makes of it. */
export interface Sought {
  readonly token: AddedToken;
  readonly content: string;
}

/** A stretch of text: one added token, with the white space it swallows, or what lies between such tokens. */
interface Stretch {
  readonly text: string;
  readonly token?: AddedToken;
}

const spaceAtEnd = /\p{White_Space}*$/u;
const spaceAtStart = /^\p{White_Space}*/u;
/** A letter of a word, as Rust's `\w` has it. */
const letter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/**
 * Cuts a text at added tokens as Hugging Face's tokenizers do: the leftmost, then the longest counts; one with
 * `single_word` is passed over where a letter stands beside it; one with `lstrip` or `rstrip` takes the white space on
 * that side with it.
 *
 * @param counts whether a token counts that ends at a place; every one when absent
 */
export function cutAdded(
  text: string,
  sought: readonly Sought[],
  counts: (token: AddedToken, end: number) => boolean = () => true,
): Stretch[] {
  if (sought.length === 0 || text === '') return text === '' ? [] : [{ text }];
  const found = new Map(sought.map(({ token, content }) => [content, token]));
  const stretches: Stretch[] = [];
  let at = 0;
  for (const match of text.matchAll(patternOf([...found.keys()]))) {
    const token = found.get(match[0]) as AddedToken;
    const end = match.index + match[0].length;
    const before = text.slice(at, match.index);
    const after = text.slice(end);
    if (token.single_word && (endsInWord(text.slice(0, match.index)) || letter.test([...after.slice(0, 2)][0] ?? '')))
      continue;
    if (!counts(token, end)) continue;
    const left = token.lstrip ? (spaceAtEnd.exec(before)?.[0].length ?? 0) : 0;
    const right = token.rstrip ? (spaceAtStart.exec(after)?.[0].length ?? 0) : 0;
    if (before.length > left) stretches.push({ text: before.slice(0, before.length - left) });
    stretches.push({ text: text.slice(match.index - left, end + right), token });
    at = end + right;
  }
  if (at < text.length) stretches.push({ text: text.slice(at) });
  return stretches;
}

function endsInWord(text: string): boolean {
  return letter.test([...text.slice(-2)].at(-1) ?? '');
}

/** Where several contents begin at one place, the longest matches. */
export function patternOf(contents: readonly string[]): RegExp {
  const longestFirst = [...contents].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'gu');
}
