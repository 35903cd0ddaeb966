import type { Turn } from '../row.ts';
import { markMessage } from './marks.ts';
import type { ChatTemplate } from './template.ts';

/** A noncharacter that stands around the number of a text, where the text goes. */
const hole = '\uFDD5';
const holes = new RegExp(`${hole}(\\d+)${hole}`);
/** Shapes that are remembered of a template. */
const most = 512;

const known = new WeakMap<ChatTemplate, Map<string, readonly string[]>>();

/**
 * What a template prints for a conversation, texts marked. The built-in ones print texts as they are, trimmed at most, so
 * conversations with the same roles, kinds of parts and tokens differ in their texts alone: one of them is rendered with
 * holes, and the texts of all are put into these.
 * @param settings what else the rendering depends on
 * @param render prints the conversation, each text being what it is given for it
 * @returns undefined where it takes a rendering of its own
 */
export function renderShape(
  template: ChatTemplate,
  turns: readonly Turn[],
  settings: readonly unknown[],
  render: (mark: (text: string, turn: number) => string) => string,
): string | undefined {
  const texts = turns.flatMap(({ parts }, at) =>
    parts.flatMap((part) => (part.type === 'text' ? [[part.text, at] as const] : [])),
  );
  // White space at the ends is the template's to trim.
  if (!template.builtin || texts.some(([text]) => text === '' || text !== text.trim())) return undefined;
  const shapes = known.get(template) ?? new Map<string, readonly string[]>();
  known.set(template, shapes);
  const key = JSON.stringify([settings, turns.map(({ role, parts }) => [role, ...parts.map(({ type }) => type)])]);
  let shape = shapes.get(key);
  if (!shape) {
    let number = 0;
    shape = render(() => `${hole}${number++}${hole}`).split(holes);
    if (shapes.size < most) shapes.set(key, shape);
  }
  const marked = texts.map(([text, turn]) => markMessage(text, turn));
  return shape.map((part, i) => (i % 2 === 0 ? part : marked[Number(part)])).join('');
}
