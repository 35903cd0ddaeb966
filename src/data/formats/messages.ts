import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { ImageMedia, Part, Row, Turn } from '../row.ts';
import { bindMarkers, checkTurns } from './conversation.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageNames, refuseOtherMedia } from './llava.ts';
import { checked } from './schema.ts';

const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image_url'), image_url: z.union([z.string(), z.object({ url: z.string() })]) }),
  z.object({ type: z.literal('image'), image: z.string().nullish(), path: z.string().nullish() }),
]);

const names = z.union([z.string(), z.array(z.string())]).nullish();

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: names,
  images: names,
  messages: z.array(
    z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.union([z.string(), z.array(part)]) }),
  ),
});

type Record = z.infer<typeof schema>;

/**
 * An OpenAI-style record: `{messages: [{role, content}]}`. Content is text, or parts of type `text`, `image_url` (with
 * a file or a data URI) and `image`. When all content is text, `images` may list pictures for `<image>` markers; an
 * `image` part without a name takes the next of them.
 *
 * @throws TesseraError `row/schema`, `row/markers`, and those of the pictures and turns
 */
export function messagesRow(value: unknown, where: string, folder: ImageFolder): Row {
  refuseOtherMedia(value, where);
  const record = checked(schema, value, where);
  const listed = imageNames(record.image, record.images, where);
  const allText = record.messages.every(({ content }) => typeof content === 'string');
  const { images, turns } = allText
    ? fromMarkers(record, listed, where, folder)
    : fromParts(record, listed, where, folder);
  checkTurns(turns, where);
  return { id: String(record.id ?? where), where, media: images, turns };
}

interface Content {
  readonly images: readonly ImageMedia[];
  readonly turns: readonly Turn[];
}

function fromMarkers({ messages }: Record, listed: readonly string[], where: string, folder: ImageFolder): Content {
  const images = listed.map((name) => folder.find(name, where));
  const marked = messages.map(({ role, content }) => ({ role, text: content as string }));
  return { images, turns: bindMarkers(marked, images.length, where) };
}

function fromParts({ messages }: Record, listed: readonly string[], where: string, folder: ImageFolder): Content {
  const images: ImageMedia[] = [];
  let unnamed = 0;
  const show = (name: string | null | undefined): Part => {
    const found = name ?? listed[unnamed++];
    if (found !== undefined) images.push(folder.find(found, where));
    return { type: 'media', media: images.length - 1 };
  };
  const turns = messages.map(({ role, content }): Turn => {
    if (typeof content === 'string') return { role, parts: content === '' ? [] : [{ type: 'text', text: content }] };
    return {
      role,
      parts: content.map((piece) => {
        if (piece.type === 'text') return piece;
        if (piece.type === 'image') return show(piece.image ?? piece.path);
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
