import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import type { Segment } from './segment.ts';
import type { ChatTemplate } from './template.ts';

/**
 * Holds what a template printed of each turn against the turn: every text once, and as it is but for white space around.
 * @throws TesseraError `chat/text-dropped` and `chat/template-rewrites`, which name the turn
 */
export function checkTexts(template: ChatTemplate, turns: readonly Turn[], segments: readonly Segment[]): void {
  for (const [at, turn] of turns.entries()) {
    if (template.discards.includes(turn.role)) continue;
    const given = turn.parts.flatMap((part) => (part.type === 'text' && part.text.trim() !== '' ? [part.text] : []));
    const printed = segments.filter((segment) => segment.turn === at).map(({ text }) => text);
    const where = `turn ${at + 1} (${turn.role})`;
    if (printed.length !== given.length) dropped(template, where, given.length, printed.length);
    const changed = given.findIndex((text, i) => text.trim() !== printed[i]);
    if (changed >= 0) rewritten(template, where, given[changed] as string, printed[changed] as string);
  }
}

function dropped(template: ChatTemplate, where: string, expected: number, got: number): never {
  throw new TesseraError({
    code: 'chat/text-dropped',
    message: `the template ${got < expected ? 'leaves out' : 'repeats'} message texts of ${where}`,
    path: template.name,
    expected: expected === 1 ? '1 text' : `${expected} texts`,
    got: `${got}`,
    remedy: 'use a template that prints every message once; `--template`, or `template` of a stage, takes one',
  });
}

function rewritten(template: ChatTemplate, where: string, expected: string, got: string): never {
  throw new TesseraError({
    code: 'chat/template-rewrites',
    message: `the template changes the text of ${where}`,
    path: template.name,
    expected: JSON.stringify(expected.slice(0, 80)),
    got: JSON.stringify(got.slice(0, 80)),
    remedy: 'use a template that prints messages as they are (trimming is fine)',
  });
}
