import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { renderChat, renderedText } from './render.ts';
import type { ChatTokens, Segment } from './segment.ts';
import type { ChatTemplate } from './template.ts';

/** What a template prints after an answer, as far as it ends one. */
export interface Endings {
  /** Special tokens that close the assistant's turn, the end-of-sequence token first. */
  readonly closing: readonly string[];
  /** Those of them that the model is taught to close an answer with. */
  readonly taught: readonly string[];
  /** Texts that the model is taught to close an answer with. White space is none, except by declaration. */
  readonly texts: readonly string[];
  /** The special token that follows an answer without closing it: it opens the next turn. */
  readonly following: readonly string[];
}

const system: Turn = { role: 'system', parts: [{ type: 'text', text: 'system' }] };
const question: Turn = { role: 'user', parts: [{ type: 'text', text: 'question' }] };
const answer: Turn = { role: 'assistant', parts: [{ type: 'text', text: 'answer' }] };

const known = new WeakMap<ChatTemplate, Map<string, Endings>>();

/**
 * Reads off a template what ends an answer. It is asked about the last answer of a conversation and about one that a
 * further question follows, since some templates print an end at one of these places alone.
 * @throws TesseraError of rendering when it can render neither
 */
export function answerEndings(template: ChatTemplate, tokens: ChatTokens): Endings {
  const memory = known.get(template) ?? new Map<string, Endings>();
  known.set(template, memory);
  const key = JSON.stringify([tokens.bos, tokens.eos, tokens.image, tokens.specials.length]);
  const endings = memory.get(key) ?? readEndings(template, tokens);
  memory.set(key, endings);
  return endings;
}

/** @param before turns that come first; a template may ask for a system message */
function readEndings(template: ChatTemplate, tokens: ChatTokens, before: readonly Turn[] = []): Endings {
  const tail = (...turns: Turn[]) =>
    attempt(() => tailOf(renderChat(template, [...before, ...turns], tokens), before.length + 1));
  const last = tail(question, answer);
  const inside = template.discards.includes('user') ? last : tail(question, answer, question);
  const tails = [last, inside].filter((tail) => Array.isArray(tail));
  if (tails.length === 0 && before.length === 0) return readEndings(template, tokens, [system]);
  if (tails.length === 0) throw last;
  const opening = attempt(() => headOf(renderChat(template, [...before, question], tokens), before.length));
  const inner = Array.isArray(inside) ? beforeOpening(inside, typeof opening === 'string' ? opening : '') : [];
  const after = tails.flatMap(firstSpecial);
  const ends = after.filter((token) => token === tokens.eos);
  const closing = [...new Set([...ends, ...firstSpecial(Array.isArray(last) ? last : []), ...firstSpecial(inner)])];
  const following = [...new Set(after.filter((token) => !closing.includes(token)))];
  if (!template.supervises) return { closing, taught: closing, texts: [], following };
  const produced = tails.map((tail) =>
    tail.slice(
      0,
      firstIndex(tail, ({ supervised }) => !supervised),
    ),
  );
  const taught = [...new Set(produced.flatMap(firstSpecial))];
  const texts = produced.filter((tail) => firstSpecial(tail).length === 0).map((tail) => renderedText(tail).trim());
  const declared = template.stop === undefined ? [] : [template.stop];
  return { closing, taught, texts: [...new Set([...declared, ...texts.filter((text) => text !== '')])], following };
}

/** What a template prints between an answer and the next message. */
function tailOf(segments: readonly Segment[], answered: number): Segment[] {
  const after = segments.slice(segments.findIndex(({ turn }) => turn === answered) + 1);
  return after.slice(
    0,
    firstIndex(after, ({ turn }) => turn !== undefined),
  );
}

/** What a template prints before the words of a turn and after those before it. */
function headOf(segments: readonly Segment[], asked: number): string {
  const at = segments.findIndex(({ turn }) => turn === asked);
  const from = segments.slice(0, at).findLastIndex(({ turn }) => turn !== undefined) + 1;
  return renderedText(segments.slice(from, at));
}

/** The tail without what opens a user's turn: the longest end that it shares with the opening of a conversation. */
function beforeOpening(tail: readonly Segment[], opening: string): Segment[] {
  const text = renderedText(tail);
  let shared = 0;
  while (shared < Math.min(text.length, opening.length) && text.at(-1 - shared) === opening.at(-1 - shared)) shared++;
  let at = 0;
  return tail.filter((segment) => {
    at += segment.text.length;
    return at <= text.length - shared;
  });
}

function firstSpecial(segments: readonly Segment[]): string[] {
  return segments
    .filter(({ source }) => source === 'special')
    .slice(0, 1)
    .map(({ text }) => text);
}

function firstIndex<T>(items: readonly T[], is: (item: T) => boolean): number {
  const at = items.findIndex(is);
  return at < 0 ? items.length : at;
}

function attempt<T>(action: () => T): T | TesseraError {
  try {
    return action();
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
}
