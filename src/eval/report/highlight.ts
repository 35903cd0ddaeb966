import type { Span } from '../tasks/task.ts';
import type { Html } from './html.ts';
import { html } from './html.ts';

/** A text with the given parts marked. Parts that overlap are marked once; parts outside the text are left out. */
export function highlight(text: string, spans: readonly Span[]): Html {
  const parts: (Html | string)[] = [];
  let at = 0;
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const from = Math.max(start, at);
    const to = Math.min(end, text.length);
    if (from >= to) continue;
    parts.push(text.slice(at, from), html`<mark title="not so">${text.slice(from, to)}</mark>`);
    at = to;
  }
  return html`${[...parts, text.slice(at)]}`;
}
