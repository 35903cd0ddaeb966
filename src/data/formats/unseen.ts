import { basename } from 'node:path';
import { TesseraError } from '../../base/index.ts';

/** Something that a record may hold beside what its format reads. */
interface Unseen {
  readonly what: string;
  readonly key: RegExp;
  /** Numbers and texts under such a key are something else. */
  readonly lists?: true;
  readonly remedy: string;
}

const image: Unseen = {
  what: 'an image',
  key: /^(?:images?|img|imgs|pictures?|pics?|photos?|pixel_values|(?:image|img|picture|photo)_?(?:paths?|files?|file_?names?|names?|urls?|bytes)|(?:rejected|chosen)_images?|file_?names?|base64)$/i,
  remedy: 'name the image under image or images, and put <image> where it is shown',
};

/** What training would not see, by the keys under which tools write it. */
const unseen: readonly Unseen[] = [
  image,
  {
    what: 'boxes or regions',
    key: /^(?:objects|bbox(?:es)?|box(?:es)?|regions?|points?|polygons?|segmentations?|masks?|grounding)$/i,
    lists: true,
    remedy: 'write the places into the text, or take the row out',
  },
  {
    what: 'calls of tools',
    key: /^(?:tools|functions|tool_calls?|function_calls?|tool_call_id)$/i,
    remedy: 'write the calls into the content as the model is to write them, or take the row out',
  },
  {
    what: 'reasoning beside the answer',
    key: /^(?:reasoning(?:_content)?|thinking(?:_content)?|thoughts?|chain_of_thought)$/i,
    remedy: 'put it into the content, as the model is to write it, or take the key out',
  },
  {
    what: 'a second answer or a judgement of answers',
    key: /^(?:chosen|rejected|(?:chosen|rejected|negative)_(?:response|messages|conversations?|answer)|kto_tag|margin|advantage)$/i,
    remedy: 'take the key out to learn the one answer',
  },
  {
    what: 'history of the conversation',
    key: /^(?:history)$/i,
    remedy: 'write the earlier turns as turns',
  },
  {
    what: 'a refusal in the place of the answer',
    key: /^refusal$/i,
    remedy: 'write it as the content of the answer, or take it out',
  },
];

/** A key of any make that may say whether, or how much, something is learned, by the words that it is made of. */
const mark: Omit<Unseen, 'key'> = {
  what: 'a word on what is learned',
  remedy:
    'say it of single turns, with weight 0 or 1; take out rows that are not to be learned, or a key that means something else',
};
const MARKS =
  /^(?:labels?|(?:un)?mask(?:s|ed|ing)?|weight(?:s|ed|ing)?|loss(?:es)?|(?:un)?train(?:ed|ing|able)?|(?:un)?supervis(?:ed?|ion)|(?:un)?learn(?:ed|t|ing|able)?|ignored?|skip(?:ped)?|exclude[ds]?)$/;

function isMark(key: string): boolean {
  const words = key
    .replace(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}]+/u);
  return words.some((word) => MARKS.test(word));
}

const IMAGE_NAME = /\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$/i;

/**
 * Refuses a record, or a turn of one, that holds what the format does not read and training would not see.
 * @param read the keys that the format reads
 * @param shown names of the images that the record shows: another key may repeat one
 * @throws TesseraError `row/media` for videos and sounds, `row/unread` for everything else
 */
export function refuseUnseen(
  value: unknown,
  where: string,
  read: readonly string[],
  shown: readonly string[] = [],
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const known = new Set(shown.map((name) => basename(name)));
  for (const [key, held] of Object.entries(value)) {
    if (read.includes(key) || isEmpty(held) || repeats(held, known)) continue;
    if (/^(?:videos?|audios?|frames)$/i.test(key)) throw otherMedia(key, held, where);
    const found =
      unseen.find((one) => one.key.test(key) && (!one.lists || isPlaces(key, held))) ??
      (isMark(key) ? mark : namesImage(key, held, shown) ? image : undefined);
    if (found) throw unread(found, key, held, where);
  }
}

/** Places, in any nesting; a mask that is a flat list of flags says what is learned. */
function isPlaces(key: string, value: unknown): boolean {
  const flags = /^masks?$/i.test(key) && Array.isArray(value) && value.every((x) => [0, 1, false, true].includes(x));
  return typeof value === 'object' && !flags;
}

/** Nothing, as a value or as the text of one. */
function isEmpty(value: unknown): boolean {
  if (value == null || (typeof value === 'string' && /^(?:|\[\s*\]|\{\s*\})$/.test(value.trim()))) return true;
  if (Array.isArray(value)) return value.every(isEmpty);
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

function repeats(value: unknown, known: ReadonlySet<string>): boolean {
  const names = Array.isArray(value) ? value : [value];
  return known.size > 0 && names.every((name) => typeof name === 'string' && known.has(basename(name)));
}

/** A key of any name whose value is the name of an image, in a row that shows none. */
function namesImage(key: string, value: unknown, shown: readonly string[]): boolean {
  if (shown.length > 0 || key === 'id' || typeof value !== 'string') return false;
  return /^data:image\//i.test(value) || (IMAGE_NAME.test(value) && !/[\s]/.test(value));
}

function otherMedia(key: string, value: unknown, where: string): TesseraError {
  return new TesseraError({
    code: 'row/media',
    message: `rows with ${key} are not read`,
    path: where,
    expected: 'images and text',
    got: JSON.stringify(value).slice(0, 60),
    remedy: 'take single frames out of a video as images; take the row out otherwise',
  });
}

function unread({ what, remedy }: Omit<Unseen, 'key'>, key: string, value: unknown, where: string): TesseraError {
  return new TesseraError({
    code: 'row/unread',
    message: `${key} may hold ${what}, which training would not see`,
    path: where,
    got: `${key}: ${JSON.stringify(value).slice(0, 60)}`,
    remedy,
  });
}
