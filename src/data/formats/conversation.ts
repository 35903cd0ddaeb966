import { TesseraError } from '../../base/index.ts';
import type { Part, Turn } from '../row.ts';

/** What stands in text for an image. */
export const MARKER = '<image>';

/** Things people write instead of the marker. */
const LOOKALIKE = /<[\s/]{0,4}(?:im|img|image|images|picture|pic)(?:[_-]?\d{1,4})?[\s/]{0,4}>/i;

/** A turn whose text may hold markers. */
export interface MarkedTurn {
  readonly role: Turn['role'];
  readonly text: string;
  readonly learned?: boolean | undefined;
}

/**
 * Binds the markers of a conversation to its images, in reading order. Line breaks beside a marker only separate it
 * from the text and are dropped; chat templates put their own.
 *
 * @throws TesseraError `row/markers` when there are more or fewer markers than images
 */
export function bindMarkers(turns: readonly MarkedTurn[], imageCount: number, where: string): Turn[] {
  const markers = turns.reduce((n, turn) => n + turn.text.split(MARKER).length - 1, 0);
  if (markers !== imageCount) throw wrongMarkers(turns, imageCount, markers, where);
  let next = 0;
  return turns.map(({ text, ...turn }) => ({ ...turn, parts: partsOf(text, () => next++) }));
}

function partsOf(text: string, nextImage: () => number): Part[] {
  const pieces = text.split(MARKER);
  return pieces.flatMap((piece, i): Part[] => {
    const afterMarker = i > 0 ? piece.replace(/^(?:\r?\n)+/, '') : piece;
    const between = i < pieces.length - 1 ? withoutLastBreaks(afterMarker) : afterMarker;
    const image: Part[] = i > 0 ? [{ type: 'media', media: nextImage() }] : [];
    return between === '' ? image : [...image, { type: 'text', text: between }];
  });
}

/** By hand, since a pattern would begin anew at each of many line breaks. */
function withoutLastBreaks(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n') end -= text[end - 2] === '\r' ? 2 : 1;
  return text.slice(0, end);
}

const count = (n: number, thing: string) => `${n} ${thing}${n === 1 ? '' : 's'}`;

function wrongMarkers(turns: readonly MarkedTurn[], images: number, markers: number, where: string): TesseraError {
  const lookalike = turns.map(({ text }) => text.replaceAll(MARKER, '').match(LOOKALIKE)?.[0]).find(Boolean);
  return new TesseraError({
    code: 'row/markers',
    message: `${count(images, 'image')}, ${count(markers, 'marker')}`,
    path: where,
    expected: `one ${MARKER} marker for each image`,
    remedy: lookalike ? `did you mean ${MARKER} instead of ${lookalike}?` : remedyFor(images, markers),
  });
}

function remedyFor(images: number, markers: number): string {
  if (images === 0) return 'did you forget the image key? text that speaks of the marker must be written otherwise';
  if (markers === 0) return `did you mean to begin the first user turn with ${MARKER}?`;
  if (markers < images) return `did you mean ${count(markers, 'image')}? otherwise write ${images} markers`;
  return `did you mean ${count(markers, 'image')}, or one marker less?`;
}

/**
 * Checks that a conversation can be learned from: an optional system turn, then user and assistant in turn, the
 * assistant last, no turn empty, no image in a system turn.
 *
 * @throws TesseraError `row/turns`, `row/empty-turn`, `row/image-in-system`, `row/nothing-learned`
 */
export function checkTurns(turns: readonly Turn[], where: string): void {
  const dialogue = turns[0]?.role === 'system' ? turns.slice(1) : turns;
  dialogue.forEach((turn, i) => {
    const due = i % 2 === 0 ? 'user' : 'assistant';
    if (turn.role !== due)
      throw wrongTurn(where, `a ${due} turn`, `turn ${turns.indexOf(turn) + 1} is the ${turn.role}'s`);
  });
  if (dialogue.length % 2 !== 0 || dialogue.length === 0) {
    throw wrongTurn(
      where,
      'an assistant turn at the end',
      dialogue.length === 0 ? 'no turns' : 'a user turn at the end',
    );
  }
  for (const [i, turn] of turns.entries()) checkParts(turn, i, where);
  if (turns.some(({ role, learned }) => role === 'assistant' && learned !== false)) return;
  throw new TesseraError({
    code: 'row/nothing-learned',
    message: 'every answer of the row is switched off',
    path: where,
    expected: 'an answer that is learned',
    remedy: 'take the row out, or the keys that switch its answers off',
  });
}

function wrongTurn(where: string, expected: string, got: string): TesseraError {
  return new TesseraError({
    code: 'row/turns',
    message: 'the turns do not alternate between user and assistant',
    path: where,
    expected,
    got,
  });
}

function checkParts(turn: Turn, index: number, where: string): void {
  const shows = turn.parts.some((part) => part.type === 'media');
  const says = turn.parts.some((part) => part.type === 'text' && part.text.trim() !== '');
  if (shows && turn.role === 'system') {
    throw new TesseraError({
      code: 'row/image-in-system',
      message: 'the system message shows an image',
      path: where,
      expected: 'images in the turns of user and assistant alone',
      got: `an image in turn ${index + 1}`,
    });
  }
  if (!shows && !says) {
    throw new TesseraError({
      code: 'row/empty-turn',
      message: 'a turn says nothing',
      path: where,
      got: `turn ${index + 1}, the ${turn.role}'s, is empty`,
    });
  }
}
