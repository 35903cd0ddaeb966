import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { answerEndings } from './endings.ts';
import { renderedText, renderPlain } from './render.ts';
import type { ChatTokens, Segment } from './segment.ts';
import type { ChatTemplate } from './template.ts';

/** A stretch of the rendered text that the model has to produce. */
type Range = readonly [start: number, end: number];

/**
 * Finds what the model has to produce where a template does not say it by `{% generation %}`: the words of each answer,
 * white space that lies between them and the prompt, and all up to the special token that closes the turn. The prompt of
 * each answer is rendered, too, as it is when the model is asked, and must be how the conversation begins: a template
 * that prints earlier turns otherwise once others follow would teach answers to prompts that are never given.
 *
 * @param segments the rendered conversation
 * @throws TesseraError `chat/mask-ambiguous`, which names the answer and where the texts part
 */
export function superviseAnswers(
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  segments: readonly Segment[],
): Segment[] {
  const text = renderedText(segments);
  const ends = closingTokens(template, tokens);
  const ranges = turns.flatMap((turn, at): Range[] => {
    const words = turn.role === 'assistant' ? wordsOf(segments, at) : undefined;
    if (!words) return [];
    const prompt = renderPlain(template, turns.slice(0, at), tokens, { generationPrompt: true });
    checkPrompt(template, at, prompt, text.slice(0, words.start));
    // White space between prompt and words is the model's to write; other text of the template is given with the prompt.
    const start = text.slice(prompt.length, words.start).trim() === '' ? prompt.length : words.start;
    return [[start, endOf(segments, words, ends)]];
  });
  return cutAt(segments, ranges);
}

/**
 * Supervises the end of each answer where the template prints one and leaves it out of its `{% generation %}` block, and
 * puts the end-of-sequence token after the last answer where the template prints none. Earlier answers stay as they
 * are: the model is shown them so when it is asked.
 * @throws TesseraError `chat/no-end-token` when the tokenizer has no such token
 */
export function withEnds(
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  segments: readonly Segment[],
): Segment[] {
  const ends = closingTokens(template, tokens);
  const answers = turns.flatMap((turn, at) => {
    const words = turn.role === 'assistant' ? wordsOf(segments, at) : undefined;
    return words ? [{ at, words, end: endOf(segments, words, ends) }] : [];
  });
  const taught = cutAt(
    segments,
    answers.map(({ words, end }): Range => [words.end, end]),
    true,
  );
  const last = answers.at(-1);
  if (last?.at !== turns.length - 1 || last.end > last.words.end) return taught;
  if (tokens.eos === undefined) noEndToken();
  return [...taught.slice(0, last.words.next), { text: tokens.eos, supervised: true, source: 'special' }];
}

function closingTokens(template: ChatTemplate, tokens: ChatTokens): ReadonlySet<string> {
  const { closing } = answerEndings(template, tokens);
  return new Set(tokens.eos === undefined ? closing : [...closing, tokens.eos]);
}

function noEndToken(): never {
  throw new TesseraError({
    code: 'chat/no-end-token',
    message: 'the tokenizer has no end-of-sequence token that could end an answer',
    path: 'tokenizer_config.json eos_token',
    remedy: 'name one there',
  });
}

interface Words {
  /** Offset of the first character, and of the one after the last. */
  readonly start: number;
  readonly end: number;
  /** The segment after the last. */
  readonly next: number;
}

function wordsOf(segments: readonly Segment[], turn: number): Words | undefined {
  const first = segments.findIndex((segment) => segment.turn === turn);
  if (first < 0) return undefined;
  const next = segments.findLastIndex((segment) => segment.turn === turn) + 1;
  return { start: lengthOf(segments.slice(0, first)), end: lengthOf(segments.slice(0, next)), next };
}

function lengthOf(segments: readonly Segment[]): number {
  return segments.reduce((length, { text }) => length + text.length, 0);
}

/** Up to the token that closes the turn, when it comes before the next message and before any other special token. */
function endOf(segments: readonly Segment[], { next, end }: Words, ends: ReadonlySet<string>): number {
  const after = segments.slice(next);
  const at = after.findIndex(({ source }) => source !== 'template');
  const closing = after[at];
  if (closing?.source !== 'special' || !ends.has(closing.text)) return end;
  return end + lengthOf(after.slice(0, at + 1));
}

function checkPrompt(template: ChatTemplate, turn: number, prompt: string, before: string): void {
  if (before.startsWith(prompt)) return;
  let same = 0;
  while (same < prompt.length && prompt[same] === before[same]) same++;
  const excerpt = (text: string) => JSON.stringify(text.slice(Math.max(0, same - 20), same + 40));
  throw new TesseraError({
    code: 'chat/mask-ambiguous',
    message: `the template prints what comes before turn ${turn + 1} otherwise when an answer is asked for, so what the model has to produce is not certain`,
    path: template.name,
    expected: excerpt(prompt),
    got: excerpt(before),
    remedy:
      'add {% generation %} ... {% endgeneration %} around the answers, or cut the conversation into rows of one answer',
  });
}

/** Segments cut at the ends of ranges; what lies in one is supervised, and with `keep` what was. */
function cutAt(segments: readonly Segment[], ranges: readonly Range[], keep = false): Segment[] {
  const borders = ranges.flat();
  let at = 0;
  return segments.flatMap((segment) => {
    const start = at;
    at += segment.text.length;
    const cuts = [start, ...borders.filter((border) => border > start && border < at), at];
    return cuts.slice(0, -1).map((from, i) => ({
      ...segment,
      text: segment.text.slice(from - start, (cuts[i + 1] as number) - start),
      supervised: (keep && segment.supervised) || ranges.some(([first, last]) => first <= from && from < last),
    }));
  });
}
