import { TesseraError } from '../base/index.ts';
import { type ChatTemplate, chatTokens, renderChat, type Segment } from './chat/index.ts';
import { imagesOf } from './media.ts';
import type { ImageMedia, Outcome, Row } from './row.ts';
import type { Tokenizer } from './tokenize/index.ts';

/** A picture's place in a sequence: `tokens` consecutive image tokens from `start` on. */
export interface ImageSpan {
  readonly image: ImageMedia;
  readonly start: number;
  readonly tokens: number;
}

/** A row as the model sees it: `ids` and `supervised` have the sequence's length, images expanded, in reading order. */
export interface Example {
  readonly id: string;
  readonly where: string;
  readonly ids: Int32Array<ArrayBuffer>;
  /** 1 where the token has to be predicted. */
  readonly supervised: Uint8Array<ArrayBuffer>;
  readonly images: readonly ImageSpan[];
}

export interface EncodeSettings {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** The special token that stands for a picture; absent for a system without eyes. */
  readonly imageToken?: string;
  /** Rows of the sequence that a picture takes. */
  readonly tokensPerImage?: number | ((image: ImageMedia, index: number) => number);
  /** Longest sequence, image tokens included. */
  readonly maxLength?: number;
}

/**
 * A conversation as a training example. Nothing is cut: a row that is too long, has no supervised token, leaves a
 * picture unused or spells a special token the vocabulary cannot avoid is refused with the reason.
 * @throws TesseraError `chat/no-supervision` when the template can supervise nothing at all
 */
export function encodeRow(row: Row, settings: EncodeSettings): Outcome<Example> {
  if (!settings.template.supervises) {
    throw new TesseraError({
      code: 'chat/no-supervision',
      message: 'the chat template does not say which text the model has to produce',
      path: settings.template.name,
      remedy: 'pass it through trainingTemplate first',
    });
  }
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

function attempt(row: Row, action: () => Example): Outcome<Example> {
  try {
    return { kept: action() };
  } catch (error) {
    // A wrong image token is a fault of the settings; everything else is the row's.
    if (!(error instanceof TesseraError) || error.code === 'chat/image-token') throw error;
    return { refused: { ...error.toJSON(), path: row.where } };
  }
}

function encode(row: Row, settings: EncodeSettings, generationPrompt: boolean): Example {
  const { tokenizer, template, imageToken, maxLength } = settings;
  const images = imagesOf(row);
  const segments = renderChat(template, row.turns, chatTokens(tokenizer, imageToken), { generationPrompt });
  const { ids, spans } = tokenizer.encodePieces(
    segments.map((segment) => ({ text: segment.text, special: segment.source === 'special' })),
  );
  const marks = supervisedCharacters(segments);
  const placeholders = placeholderImages(segments, images);
  const out = { ids: openingIds(tokenizer, ids), supervised: [] as number[], images: [] as ImageSpan[] };
  out.supervised = out.ids.map(() => 0);
  for (const [i, id] of ids.entries()) {
    const [start, end] = spans[i] as readonly [number, number];
    const image = placeholders.get(start);
    if (image === undefined || end === start) {
      out.ids.push(id);
      out.supervised.push(marks.subarray(start, Math.max(end, start + 1)).includes(1) ? 1 : 0);
      continue;
    }
    const span = {
      image: images[image] as ImageMedia,
      start: out.ids.length,
      tokens: imageTokens(images, image, settings),
    };
    out.images.push(span);
    for (let k = 0; k < span.tokens; k++) {
      out.ids.push(id);
      out.supervised.push(0);
    }
  }
  if (maxLength !== undefined && out.ids.length > maxLength) tooLong(out, maxLength);
  return {
    id: row.id,
    where: row.where,
    ids: Int32Array.from(out.ids),
    supervised: Uint8Array.from(out.supervised),
    images: out.images,
  };
}

/** The tokenizer's opening ids, unless the template printed them already. */
function openingIds(tokenizer: Tokenizer, ids: readonly number[]): number[] {
  const printed = tokenizer.prefix.every((id, i) => ids[i] === id);
  return printed ? [] : [...tokenizer.prefix];
}

function supervisedCharacters(segments: readonly Segment[]): Uint8Array {
  const total = segments.reduce((n, segment) => n + segment.text.length, 0);
  const marks = new Uint8Array(total);
  let at = 0;
  for (const { text, supervised } of segments) {
    if (supervised) marks.fill(1, at, at + text.length);
    at += text.length;
  }
  return marks;
}

/** Offset of each image placeholder to the image it stands for. */
function placeholderImages(segments: readonly Segment[], images: readonly ImageMedia[]): Map<number, number> {
  const found = new Map<number, number>();
  let at = 0;
  for (const { text, image } of segments) {
    if (image !== undefined) found.set(at, image);
    at += text.length;
  }
  const used = new Set(found.values());
  const outside = [...used].find((image) => images[image] === undefined);
  if (outside === undefined && used.size === images.length) return found;
  throw new TesseraError({
    code: 'row/image-count',
    message:
      outside === undefined ? 'the row has images that its turns do not show' : 'a turn shows an image the row lacks',
    expected: `${images.length} images`,
    got: outside === undefined ? `${used.size}` : `image ${outside}`,
  });
}

function imageTokens(images: readonly ImageMedia[], index: number, { tokensPerImage }: EncodeSettings): number {
  const image = images[index] as ImageMedia;
  const tokens = typeof tokensPerImage === 'function' ? tokensPerImage(image, index) : tokensPerImage;
  if (tokens !== undefined && Number.isInteger(tokens) && tokens > 0) return tokens;
  throw new TesseraError({
    code: 'row/image-tokens',
    message: 'the number of tokens of an image is not known',
    expected: 'a positive integer',
    got: `${tokens}`,
  });
}

function tooLong({ ids, images }: { ids: readonly number[]; images: readonly ImageSpan[] }, limit: number): never {
  const ofImages = images.reduce((n, span) => n + span.tokens, 0);
  throw new TesseraError({
    code: 'row/too-long',
    message: 'the row is longer than the limit',
    expected: `at most ${limit} tokens`,
    got: `${ids.length}, ${ofImages} of them image tokens`,
  });
}
