import type { Fault } from '../../base/index.ts';
import { raise, TesseraError } from '../../base/index.ts';

interface Model {
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly merges?: readonly (string | readonly [string, string])[] | undefined;
}

interface Added {
  readonly id: number;
  readonly content: string;
}

/** Most normalizers and pre-tokenizers, and the most that replacements can lengthen a text. */
const mostRules = 64;
const largestGrowth = 256;

/**
 * Holds a vocabulary against itself: every id once and hardly a gap among them, since tables are made by the largest,
 * and merges of pieces that are there into one that is there.
 * @throws TesseraError `tokenize/vocabulary`
 */
export function checkVocabulary({ vocab, merges = [] }: Model, added: readonly Added[]): void {
  const pieces: readonly (readonly [string, number])[] = Array.isArray(vocab)
    ? vocab.map(([piece]: readonly [string, number], id: number) => [piece, id] as const)
    : Object.entries(vocab);
  const known = new Map(pieces);
  raise([...idFaults(pieces, added, known), ...mergeFaults(merges, known)].slice(0, 20));
}

function* idFaults(
  pieces: readonly (readonly [string, number])[],
  added: readonly Added[],
  known: ReadonlyMap<string, number>,
): Iterable<Fault> {
  const owners = new Map<number, string>();
  const all = [...pieces, ...added.map(({ content, id }) => [content, id] as const)];
  let largest = 0;
  for (const [piece, id] of all) {
    const other = owners.get(id);
    if (other !== undefined && other !== piece)
      yield fault(`the tokens ${short(other)} and ${short(piece)} have one id`, `${id}`);
    owners.set(id, piece);
    largest = Math.max(largest, id);
  }
  for (const { content, id } of added) {
    const own = known.get(content);
    if (own !== undefined && own !== id) yield fault(`the token ${short(content)} has two ids`, `${own} and ${id}`);
  }
  if (largest >= 2 * owners.size + 1024)
    yield fault('the token ids have large gaps', `${owners.size} ids up to ${largest}`);
}

function* mergeFaults(merges: NonNullable<Model['merges']>, known: ReadonlyMap<string, number>): Iterable<Fault> {
  for (const [at, merge] of merges.entries()) {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left = '', right = ''] = pair;
    if (pair.length === 2 && known.has(left) && known.has(right) && known.has(left + right)) continue;
    yield fault(`merge ${at} speaks of pieces that the vocabulary lacks`, short(String(merge)));
  }
}

function fault(message: string, got: string): Fault {
  return { code: 'tokenize/vocabulary', message, path: 'tokenizer.json model', got };
}

function short(piece: string): string {
  return JSON.stringify(piece.length > 40 ? `${piece.slice(0, 40)}…` : piece);
}

/**
 * Refuses rules that could lengthen a text beyond measure.
 * @throws TesseraError `tokenize/unsupported`
 */
export function checkRules(rules: unknown): void {
  const [count, growth] = measure(rules);
  if (count <= mostRules && growth <= largestGrowth) return;
  throw new TesseraError({
    code: 'tokenize/unsupported',
    message: 'the tokenizer rewrites texts in too many steps',
    path: 'tokenizer.json normalizer, pre_tokenizer',
    expected: `at most ${mostRules} rules, and texts at most ${largestGrowth} times as long`,
    got: `${count} rules, and texts ${growth} times as long`,
  });
}

function measure(value: unknown): [count: number, growth: number] {
  if (typeof value !== 'object' || value === null) return [0, 1];
  const rule = value as { readonly type?: unknown; readonly content?: unknown; readonly prepend?: unknown };
  const text = rule.content ?? rule.prepend;
  const own = typeof rule.type === 'string' ? 1 : 0;
  return Object.values(value).reduce<[number, number]>(
    ([count, growth], inner) => {
      const [more, by] = measure(inner);
      return [count + more, growth * by];
    },
    [own, typeof text === 'string' ? 1 + text.length : 1],
  );
}
