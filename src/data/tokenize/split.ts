import { type AddedToken, patternOf } from './added.ts';

/** A stretch of text; a special piece is one special token and comes from a template, never from a user. */
export interface Piece {
  readonly text: string;
  readonly special: boolean;
}

/** Cuts a text at every occurrence of the given contents; where several begin at one place, the longest counts. */
export function splitAt(text: string, contents: Iterable<string>): Piece[] {
  const sought = [...contents];
  if (sought.length === 0) return text === '' ? [] : [{ text, special: false }];
  const pattern = patternOf(sought);
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), special: false });
    pieces.push({ text: match[0], special: true });
    at = match.index + match[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), special: false });
  return pieces;
}

/** A piece without the white space beside it that was swallowed. */
type Trimmed<P> = P & {
  /** Characters that are gone from its beginning. */
  readonly skipped: number;
  /** Characters behind its text that belong to no piece. */
  trimmed: number;
};

/** Takes away the white space that special tokens declared with `lstrip` or `rstrip` swallow beside them. */
export function trimAround<P extends Piece>(pieces: readonly P[], added: readonly AddedToken[]): Trimmed<P>[] {
  const rule = new Map(added.map((token) => [token.content, token]));
  const out: Trimmed<P>[] = [];
  for (const [i, piece] of pieces.entries()) {
    const before = pieces[i - 1];
    const after = pieces[i + 1];
    let text = piece.text;
    if (!piece.special && before?.special && rule.get(before.text)?.rstrip) text = text.trimStart();
    const swallowed = piece.text.length - text.length;
    const last = out.at(-1);
    if (last && swallowed > 0) last.trimmed += swallowed;
    if (!piece.special && after?.special && rule.get(after.text)?.lstrip) text = text.trimEnd();
    out.push({ ...piece, text, skipped: swallowed, trimmed: piece.text.length - swallowed - text.length });
  }
  return out;
}
