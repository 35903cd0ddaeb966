import type { Segment } from './chat/index.ts';
import type { Row } from './row.ts';

/**
 * Tells of a range of the rendered prompt which phrase of the row's last answer it touches, 0 for none. Templates may trim
 * an answer, so that the phrases are found from where its text stands.
 */
export function phrasesIn(
  segments: readonly Segment[],
  { phrases, turns }: Row,
): (start: number, end: number) => number {
  if (!phrases) return () => 0;
  const last = turns.findLastIndex(({ role }) => role === 'assistant');
  const answer = (turns[last]?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
  const of = segments.findIndex(({ turn }) => turn === last);
  const text = segments[of]?.text ?? '';
  const from = segments.slice(0, of).reduce((n, segment) => n + segment.text.length, 0) - answer.indexOf(text);
  return (start, end) => 1 + phrases.findIndex(([first, behind]) => start < from + behind && end > from + first);
}
