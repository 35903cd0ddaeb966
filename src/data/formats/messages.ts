import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { ImageMedia, Part, Row, Turn } from '../row.ts';
import { bindMarkers, checkTurns, MARKER } from './conversation.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { learnedKeys, learnedOfParts } from './learned.ts';
import { imageNames, namedImages } from './names.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const imagePart = z.looseObject({
  type: z.literal('image'),
  image: z.string().nullish(),
  path: z.string().nullish(),
  url: z.string().nullish(),
});
const part = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('image_url'), image_url: z.union([z.string(), z.object({ url: z.string() })]) }),
  imagePart,
]);

/** The keys of parts that are read. */
const partKeys: Readonly<Record<string, readonly string[]>> = {
  text: ['text'],
  image_url: ['image_url'],
  image: ['image', 'path', 'url'],
};

/** A list of messages as OpenAI, TRL and ms-swift write it. */
export const messageList = z.array(
  z.looseObject({ role: z.enum(['system', 'user', 'assistant']), content: z.union([z.string(), z.array(part)]) }),
);

type Messages = z.infer<typeof messageList>;

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: imageNames,
  images: imageNames,
  messages: messageList,
});

/**
 * An OpenAI-style record: `{messages: [{role, content}]}`. Content is text, or parts of type `text`, `image_url` (with
 * a file or a data URI) and `image`. When all content is text, `images` may list images for `<image>` markers; an
 * `image` part without a name takes the next of them.
 *
 * @throws TesseraError `row/schema`, `row/markers`, `row/media`, `row/unread`, and those of the images and turns
 */
function messagesRow(value: unknown, where: string, folder: ImageFolder): Row {
  refuseUnseenTurns(value, where);
  const record = checked(schema, value, where);
  const listed = namedImages(record.image, record.images, where);
  const { images, turns } = conversation(record.messages, listed, where, folder);
  refuseUnseen(
    value,
    where,
    Object.keys(schema.shape),
    images.map(({ path }) => path),
  );
  checkTurns(turns, where);
  return { id: String(record.id ?? where), where, media: images, turns };
}

/** Refuses what turns and their parts hold unseen: before the schema, which would miss the content of a tool's call. */
export function refuseUnseenTurns(value: unknown, where: string, key = 'messages'): void {
  const list = (value as Readonly<Record<string, unknown>> | null)?.[key];
  for (const turn of Array.isArray(list) ? list : []) {
    refuseUnseen(turn, where, ['role', 'content', ...learnedKeys]);
    for (const piece of Array.isArray(turn?.content) ? turn.content : []) {
      refuseUnseen(piece, where, ['type', ...(partKeys[piece?.type] ?? []), ...learnedKeys]);
    }
  }
}

interface Content {
  readonly images: readonly ImageMedia[];
  readonly turns: readonly Turn[];
}

/** The turns of a list of messages and the images they show. */
export function conversation(
  messages: Messages,
  listed: readonly string[],
  where: string,
  folder: ImageFolder,
): Content {
  const allText = messages.every(({ content }) => typeof content === 'string');
  return allText ? fromMarkers(messages, listed, where, folder) : fromParts(messages, listed, where, folder);
}

function fromMarkers(messages: Messages, listed: readonly string[], where: string, folder: ImageFolder): Content {
  const images = listed.map((name) => folder.find(name, where));
  const marked = messages.map((message) => ({ ...who(message, where), text: message.content as string }));
  return { images, turns: bindMarkers(withMarkers(marked, images.length), images.length, where) };
}

/** TRL and ms-swift show listed images in front of the first question when no text holds a marker. */
function withMarkers<T extends { readonly role: string; readonly text: string }>(turns: readonly T[], images: number) {
  const first = turns.findIndex(({ role }) => role === 'user');
  if (images === 0 || turns.some(({ text }) => text.includes(MARKER))) return turns;
  return turns.map((turn, i) => (i === first ? { ...turn, text: `${MARKER.repeat(images)}${turn.text}` } : turn));
}

function who(message: Messages[number], where: string): Pick<Turn, 'role' | 'learned'> {
  const parts = typeof message.content === 'string' ? [] : message.content;
  const learned = learnedOfParts(message, parts, message.role, where);
  return { role: message.role, ...(learned !== undefined && { learned }) };
}

/** The image that a part names under one of the keys that tools use; none for the next of those listed. */
function nameOfPart(part: z.infer<typeof imagePart>, where: string): string | undefined {
  const names = [part.image, part.path, part.url].filter((name) => name != null);
  if (new Set(names).size < 2) return names[0];
  throw new TesseraError({
    code: 'row/schema',
    message: 'a part of a message names two images',
    path: where,
    expected: 'image, path or url',
    got: names.join(', ').slice(0, 120),
  });
}

function fromParts(messages: Messages, listed: readonly string[], where: string, folder: ImageFolder): Content {
  const images: ImageMedia[] = [];
  let unnamed = 0;
  const show = (name: string | null | undefined): Part => {
    const found = name ?? listed[unnamed++];
    if (found !== undefined) images.push(folder.find(found, where));
    return { type: 'media', media: images.length - 1 };
  };
  const turns = messages.map((message): Turn => {
    const { content } = message;
    if (typeof content === 'string') {
      return { ...who(message, where), parts: content === '' ? [] : [{ type: 'text', text: content }] };
    }
    return {
      ...who(message, where),
      parts: content.map((piece) => {
        if (piece.type === 'text') return { type: 'text', text: piece.text };
        if (piece.type === 'image') return show(nameOfPart(piece, where));
        return show(typeof piece.image_url === 'string' ? piece.image_url : piece.image_url.url);
      }),
    };
  });
  if (unnamed === listed.length) return { images, turns };
  throw new TesseraError({
    code: 'row/markers',
    message: `${listed.length} listed images, ${unnamed} image parts without a name`,
    path: where,
    expected: 'one image part for each listed image',
  });
}

export const messagesFormat = recordFormat('records {messages: [{role, content}]}', messagesRow, (keys) =>
  keys.has('messages'),
);
