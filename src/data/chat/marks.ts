import { TesseraError } from '../../base/index.ts';

/**
 * Marks travel through a template's output and are taken out again. They are Unicode noncharacters, which Unicode sets
 * aside for use inside a program: no text that is meant to be exchanged may hold them.
 */
export const marks = {
  generationStart: '\uFDD0',
  generationEnd: '\uFDD1',
  messageStart: '\uFDD2',
  messageEnd: '\uFDD3',
} as const;

/** Sixteen further noncharacters are the digits of a turn's number, which follows a start mark. */
const zero = 0xfde0;
const ANY_MARK = /[\uFDD0-\uFDD3\uFDE0-\uFDEF]/g;
const NUMBER = /^[\uFDE0-\uFDEF]+/;

export function withoutMarks(text: string): string {
  return text.replace(ANY_MARK, '');
}

/**
 * Marks a message's text as that of a turn. White space at its ends stays outside, so that a template that trims finds
 * it there.
 * @throws TesseraError `chat/reserved-character` when the text itself holds a mark
 */
export function markMessage(text: string, turn: number): string {
  const found = text.match(ANY_MARK);
  if (found) {
    throw new TesseraError({
      code: 'chat/reserved-character',
      message: 'the text holds a character that Unicode reserves for use inside programs',
      got: `U+${found[0].charCodeAt(0).toString(16).toUpperCase()}`,
      remedy: 'take it out of the text',
    });
  }
  const core = text.trim();
  const start = text.length - text.trimStart().length;
  const digits = Array.from(turn.toString(16), (digit) => String.fromCharCode(zero + Number.parseInt(digit, 16)));
  const marked = `${marks.messageStart}${digits.join('')}${core}${marks.messageEnd}`;
  return core === '' ? text : text.slice(0, start) + marked + text.slice(start + core.length);
}

/** A stretch of rendered text of one kind. */
export interface MarkedRun {
  readonly text: string;
  readonly supervised: boolean;
  /** The turn whose text it is; absent for what the template itself prints. */
  readonly turn?: number;
}

/**
 * Reads the marks of a rendered text.
 * @throws TesseraError `chat/marks` when a template cut a marked text apart
 */
export function readMarks(rendered: string): MarkedRun[] {
  const runs: MarkedRun[] = [];
  let generation = 0;
  let message = 0;
  let turn = 0;
  for (const part of rendered.split(/([\uFDD0-\uFDD3])/)) {
    if (part === marks.generationStart) generation++;
    else if (part === marks.generationEnd) generation--;
    else if (part === marks.messageStart) message++;
    else if (part === marks.messageEnd) message--;
    else if (part !== '') {
      const digits = NUMBER.exec(part)?.[0] ?? '';
      if (digits !== '') turn = numberOf(digits);
      const text = part.slice(digits.length);
      if (text !== '') runs.push({ text, supervised: generation > 0, ...(message > 0 && { turn }) });
    }
    if (generation < 0 || generation > 1 || message < 0 || message > 1) unbalanced();
  }
  if (generation !== 0 || message !== 0) unbalanced();
  return runs;
}

function numberOf(digits: string): number {
  return Array.from(digits).reduce((number, digit) => 16 * number + digit.charCodeAt(0) - zero, 0);
}

function unbalanced(): never {
  throw new TesseraError({
    code: 'chat/marks',
    message: 'the template cuts message texts or generation blocks apart, so their origin is lost',
    remedy: 'use a template that prints message texts whole (they may be trimmed) and does not nest generation blocks',
  });
}
