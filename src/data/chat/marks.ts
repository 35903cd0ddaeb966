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

const ANY_MARK = /[\uFDD0-\uFDD3]/g;

export function withoutMarks(text: string): string {
  return text.replace(ANY_MARK, '');
}

/**
 * Marks a message's text as such. White space at its ends stays outside, so that a template that trims finds it there.
 * @throws TesseraError `chat/reserved-character` when the text itself holds a mark
 */
export function markMessage(text: string): string {
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
  const marked = `${marks.messageStart}${core}${marks.messageEnd}`;
  return core === '' ? text : text.slice(0, start) + marked + text.slice(start + core.length);
}

/** A stretch of rendered text of one kind. */
export interface MarkedRun {
  readonly text: string;
  readonly supervised: boolean;
  readonly message: boolean;
}

/**
 * Reads the marks of a rendered text.
 * @throws TesseraError `chat/marks` when a template cut a marked text apart
 */
export function readMarks(rendered: string): MarkedRun[] {
  const runs: MarkedRun[] = [];
  let generation = 0;
  let message = 0;
  for (const part of rendered.split(/([\uFDD0-\uFDD3])/)) {
    if (part === marks.generationStart) generation++;
    else if (part === marks.generationEnd) generation--;
    else if (part === marks.messageStart) message++;
    else if (part === marks.messageEnd) message--;
    else if (part !== '') runs.push({ text: part, supervised: generation > 0, message: message > 0 });
    if (generation < 0 || generation > 1 || message < 0 || message > 1) unbalanced();
  }
  if (generation !== 0 || message !== 0) unbalanced();
  return runs;
}

/** How many message texts arrived in the rendered text. */
export function countMessages(rendered: string): number {
  return rendered.split(marks.messageStart).length - 1;
}

function unbalanced(): never {
  throw new TesseraError({
    code: 'chat/marks',
    message: 'the template cuts message texts or generation blocks apart, so their origin is lost',
    remedy: 'use a template that prints message texts whole (they may be trimmed) and does not nest generation blocks',
  });
}
