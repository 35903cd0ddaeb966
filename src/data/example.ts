import { type Named, TesseraError } from '../base/index.ts';
import {
  answeredSegments,
  type ChatTemplate,
  chatTokens,
  renderChat,
  type Segment,
  supervisedRange,
} from './chat/index.ts';
import { imageSize, type Size } from './image/index.ts';
import { mediaNotTaken, mediaPaths } from './media.ts';
import { phrasesIn } from './phrases.ts';
import type { MediaPlan, MediaSpan, Processor, Sequence } from './processor.ts';
import type { LabelledBox, Media, Outcome, Part, Row } from './row.ts';
import type { Tokenizer } from './tokenize/index.ts';

/** A row as the model sees it, in reading order, with media in the place of their marks. */
export interface Example extends Sequence {
  readonly id: string;
  readonly where: string;
  readonly ids: Int32Array<ArrayBuffer>;
  readonly texts?: Named<Int32Array<ArrayBuffer>> | undefined;
  /** As long as `ids`: 1 where the token has to be predicted. */
  readonly supervised: Uint8Array<ArrayBuffer>;
  /** As long as `ids`: 0, or which of the row's phrases the token belongs to, from 1. */
  readonly phrases?: Uint16Array<ArrayBuffer> | undefined;
  readonly media: readonly MediaSpan[];
  readonly labels?: readonly LabelledBox[] | undefined;
}

export interface EncodeSettings {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** What the model makes of rows; text alone when absent. */
  readonly processor?: Processor | undefined;
  /** The special token that marks an image in the prompt; absent where none does. */
  readonly imageToken?: string | undefined;
  /** Longest sequence, image tokens included. */
  readonly maxLength?: number | undefined;
  /** Teaches an end of answers that the template leaves out. */
  readonly addEnd?: boolean | undefined;
}

/**
 * A conversation as a training example. Nothing is cut: a row that is too long, has no supervised token, leaves a
 * image unused or spells a special token the vocabulary cannot avoid is refused with the reason.
 */
export function encodeRow(row: Row, settings: EncodeSettings): Outcome<Example> {
  return attempt(row, () => {
    const example = encode(row, settings, false);
    if (!example.supervised.includes(1, 1)) {
      throw new TesseraError({ code: 'row/no-supervised-token', message: 'the row has no token to learn from' });
    }
    return example;
  });
}

/** A conversation as a prompt: it ends with what opens the assistant's turn, and nothing is supervised. */
export function encodePrompt(row: Row, settings: EncodeSettings): Outcome<Example> {
  return attempt(row, () => {
    const example = encode(row, settings, true);
    return { ...example, supervised: new Uint8Array(example.ids.length) };
  });
}

/** Faults of the settings; everything else is the row's. */
const settingsFaults: ReadonlySet<string> = new Set(['chat/image-token', 'chat/no-end-token']);

function attempt(row: Row, action: () => Example): Outcome<Example> {
  try {
    return { kept: action() };
  } catch (error) {
    if (!(error instanceof TesseraError) || settingsFaults.has(error.code)) throw error;
    return { refused: { ...error.toJSON(), path: row.where } };
  }
}

/** The padded inputs of a row as they grow. */
interface Growing {
  readonly texts: Map<string, number[]>;
  readonly supervised: number[];
  readonly phrases: number[];
  readonly media: MediaSpan[];
}

function encode(given: Row, settings: EncodeSettings, generationPrompt: boolean): Example {
  const { tokenizer, template, imageToken, processor } = settings;
  refuseMore(given, processor?.most);
  if (!processor?.draws) refuseDrawn(given);
  const spelled = withBoxes(given, processor);
  const row = processor?.beside || processor?.front ? wordsOf(spelled) : spelled;
  const tokens = chatTokens(tokenizer, imageToken);
  const segments = generationPrompt
    ? renderChat(template, row.turns, tokens, { generationPrompt })
    : answeredSegments(template, row.turns, tokens, settings);
  const { ids, spans } = tokenizer.encodePieces(
    segments.map((segment) => ({ text: segment.text, special: segment.source === 'special' })),
  );
  const isSupervised = supervisedRange(segments);
  const shown = placeholderImages(segments, row);
  // In a prompt nothing is supervised: answers given before are part of what is asked.
  const asked = generationPrompt ? segments.map((segment) => ({ ...segment, supervised: false })) : segments;
  const inputsAt = routes(asked, processor);
  const out = unwritten(processor);
  if (processor?.front) placeMedia(out, given, askedInputs(processor), processor);
  open(out, tokenizer, ids, processor);
  const phraseAt = phrasesIn(segments, row);
  for (const [i, id] of ids.entries()) {
    const [start, end] = spans[i] as readonly [number, number];
    const inputs = inputsAt(start);
    const image = end === start ? undefined : shown.get(start);
    const mark = isSupervised(start, end) ? 1 : 0;
    if (image !== undefined) append(out, inputs, mediaPlan(row, image, processor), row.media[image] as Media, { mark });
    else push(out, inputs, id, mark, phraseAt(start, end));
  }
  if (processor?.beside) placeMedia(out, given, ['ids'], processor, 0);
  return finished(given, out, settings.maxLength);
}

/** The row with its boxes as the system spells them. */
function withBoxes(row: Row, processor: Processor | undefined): Row {
  const spell = (part: Part): Part => {
    if (part.type !== 'boxes') return part;
    const { boxes } = processor ?? {};
    const [size] = mediaSizes(row.media[part.of] as Media);
    return { type: 'text', text: boxes && size ? boxes.write(part.boxes, size) : mediaNotTaken('boxes') };
  };
  if (!row.turns.some(({ parts }) => parts.some(({ type }) => type === 'boxes'))) return row;
  return { ...row, turns: row.turns.map((turn) => ({ ...turn, parts: turn.parts.map(spell) })) };
}

/** The row without what its turns show, and without the white space that parted it from the words. */
function wordsOf(row: Row): Row {
  const turns = row.turns.map((turn) => {
    if (turn.parts.every(({ type }) => type === 'text')) return turn;
    const text = turn.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    return { ...turn, parts: text.trim() === '' ? [] : [{ type: 'text' as const, text: text.trim() }] };
  });
  return { ...row, media: [], turns };
}

function refuseMore({ media }: Row, most = Number.POSITIVE_INFINITY): void {
  if (media.length <= most) return;
  throw new TesseraError({
    code: 'row/media-count',
    message: 'the row shows more than the system sees at once',
    expected: `at most ${most}`,
    got: `${media.length}`,
    remedy: 'ask about each in a row, or a conversation, of its own',
  });
}

/** Most systems read images and write none. */
function refuseDrawn({ turns }: Row): void {
  const at = turns.findIndex(({ role, parts }) => role === 'assistant' && parts.some(({ type }) => type === 'media'));
  if (at < 0) return;
  throw new TesseraError({
    code: 'row/image-in-answer',
    message: 'the assistant shows an image',
    expected: 'images in user turns alone, or a system that draws',
    got: `an image in turn ${at + 1}`,
  });
}

/** The padded inputs that the token at a character goes to. */
function routes(segments: readonly Segment[], processor: Processor | undefined): (at: number) => readonly string[] {
  const texts = processor?.texts;
  if (!texts) return () => ['ids'];
  const inputs = segments.flatMap((segment) => Array<readonly string[]>(segment.text.length).fill(texts(segment)));
  return (at) => inputs[Math.min(at, inputs.length - 1)] ?? ['ids'];
}

function unwritten(processor: Processor | undefined): Growing {
  const texts = processor?.texts;
  const routed = texts ? [true, false].flatMap((supervised) => texts({ supervised })) : [];
  return { texts: new Map(['ids', ...routed].map((name) => [name, []])), supervised: [], phrases: [], media: [] };
}

/** The padded inputs that what is asked goes to. */
const askedInputs = (processor: Processor) => processor.texts?.({ supervised: false }) ?? ['ids'];

function open(out: Growing, tokenizer: Tokenizer, ids: readonly number[], processor: Processor | undefined): void {
  const opens = { ids: openingIds(tokenizer, ids), ...processor?.opens };
  for (const [name, first] of Object.entries(opens)) for (const id of first) push(out, [name], id, 0);
}

/** Puts all media of a row behind what stands in these inputs, or at `start` beside it. */
function placeMedia(out: Growing, row: Row, inputs: readonly string[], processor: Processor, start?: number): void {
  for (const [i, media] of row.media.entries()) append(out, inputs, mediaPlan(row, i, processor), media, { start });
}

function push(out: Growing, inputs: readonly string[], id: number, mark: number, phrase = 0): void {
  for (const name of inputs) out.texts.get(name)?.push(id);
  if (!inputs.includes('ids')) return;
  out.supervised.push(mark);
  out.phrases.push(phrase);
}

/** Puts a medium's ids where its mark stood, or at `start` beside the text. */
function append(
  out: Growing,
  inputs: readonly string[],
  plan: MediaPlan,
  media: Media,
  { start, mark = 0 }: { readonly start?: number | undefined; readonly mark?: number },
): void {
  for (const input of inputs) {
    const length = out.texts.get(input)?.length ?? 0;
    out.media.push({ media, input, start: start ?? length, tokens: plan.ids.length, plan });
  }
  for (const id of plan.ids) push(out, inputs, id, mark);
}

function finished(row: Row, { texts, supervised, phrases, media }: Growing, limit: number | undefined): Example {
  for (const ids of texts.values()) if (limit !== undefined && ids.length > limit) tooLong(ids, media, limit);
  const { ids = [], ...others } = Object.fromEntries(texts);
  const named = Object.entries(others).map(([name, list]) => [name, Int32Array.from(list)] as const);
  return {
    id: row.id,
    where: row.where,
    ids: Int32Array.from(ids),
    ...(named.length > 0 && { texts: Object.fromEntries(named) }),
    supervised: Uint8Array.from(supervised),
    media,
    ...(row.phrases && { phrases: Uint16Array.from(phrases) }),
    ...(row.labels && { labels: row.labels }),
  };
}

/** The tokenizer's opening ids, unless the template printed them already. */
function openingIds(tokenizer: Tokenizer, ids: readonly number[]): number[] {
  const printed = tokenizer.prefix.every((id, i) => ids[i] === id);
  return printed ? [] : [...tokenizer.prefix];
}

/** Offset of each image placeholder to the image it stands for. */
function placeholderImages(segments: readonly Segment[], row: Row): Map<number, number> {
  const found = new Map<number, number>();
  let at = 0;
  for (const { text, image } of segments) {
    if (image !== undefined) found.set(at, image);
    at += text.length;
  }
  const used = new Set(found.values());
  const outside = [...used].find((image) => row.media[image] === undefined);
  if (outside === undefined && used.size === row.media.length) return found;
  throw new TesseraError({
    code: 'row/image-count',
    message:
      outside === undefined ? 'the row has images that its turns do not show' : 'a turn shows an image the row lacks',
    expected: `${row.media.length} images`,
    got: outside === undefined ? `${used.size}` : `image ${outside}`,
  });
}

function mediaPlan(row: Row, index: number, processor: Processor | undefined): MediaPlan {
  const media = row.media[index] as Media;
  if (processor?.plan) return processor.plan(media, () => mediaSizes(media));
  throw new TesseraError({
    code: 'row/no-images',
    message: 'the row shows an image and the model takes none',
    got: mediaPaths(media).join(', '),
    remedy: 'train a model with an image encoder, or leave the images out',
  });
}

/** The sizes of a medium's images as their files have them. */
function mediaSizes(media: Media): readonly Size[] {
  return mediaPaths(media).map((path) => imageSize(path));
}

function tooLong(ids: readonly number[], media: readonly MediaSpan[], limit: number): never {
  const ofImages = media.reduce((n, span) => n + span.tokens, 0);
  throw new TesseraError({
    code: 'row/too-long',
    message: 'the row is longer than the limit',
    expected: `at most ${limit} tokens`,
    got: `${ids.length}, ${ofImages} of them image tokens`,
  });
}
