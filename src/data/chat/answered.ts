import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { renderChat } from './render.ts';
import type { ChatTokens, Segment } from './segment.ts';
import { superviseAnswers, withEnds } from './supervise.ts';
import type { ChatTemplate } from './template.ts';
import { withoutUnlearned } from './unlearned.ts';

/**
 * A conversation whose answers are supervised, by the template's own word or as they are found in what it prints, but
 * for those that their turns switch off.
 * @param options.addEnd supervises an end of answers that the template leaves out, see `withEnds`
 * @throws TesseraError `chat/supervises-question` where a template's tags hold the words of another than the assistant
 */
export function answeredSegments(
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  options: { readonly addEnd?: boolean | undefined } = {},
): Segment[] {
  const rendered = renderChat(template, turns, tokens);
  const segments = template.supervises ? rendered : superviseAnswers(template, turns, tokens, rendered);
  const asked = segments.find(
    ({ supervised, turn }) => supervised && turn !== undefined && turns[turn]?.role !== 'assistant',
  );
  if (asked) supervisesOthers(template, asked);
  return withoutUnlearned(options.addEnd ? withEnds(template, turns, tokens, segments) : segments, turns);
}

function supervisesOthers(template: ChatTemplate, { text }: Segment): never {
  throw new TesseraError({
    code: 'chat/supervises-question',
    message: "the template marks words as what the model has to produce that are not the assistant's",
    path: template.name,
    got: JSON.stringify(text.slice(0, 80)),
    remedy: 'put {% generation %} around the answers alone, or take the tags out',
  });
}

/**
 * Reads off segments whether the model has to produce a token that takes a range of their characters: some of these are
 * supervised, and no words of others come after. A vocabulary may join the white space after an answer to what the next
 * turn begins with.
 */
export function supervisedRange(segments: readonly Segment[]): (start: number, end: number) => boolean {
  const text = segments.map((segment) => segment.text).join('');
  const marks = new Uint8Array(text.length);
  let start = 0;
  for (const segment of segments) {
    marks.fill(+segment.supervised, start, start + segment.text.length);
    start += segment.text.length;
  }
  return (start, end) => {
    const last = marks.subarray(start, Math.max(end, start + 1)).lastIndexOf(1);
    return last >= 0 && text.slice(start + last + 1, end).trim() === '';
  };
}
