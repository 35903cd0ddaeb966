import { z } from 'zod';
import { nearest, TesseraError } from '../../base/index.ts';
import type { Row, Turn } from '../row.ts';
import type { MarkedTurn } from './conversation.ts';
import { bindMarkers, checkTurns } from './conversation.ts';
import type { ImageFolder } from './image-folder.ts';
import { checked } from './schema.ts';

const names = z.union([z.string(), z.array(z.string())]).nullish();

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: names,
  images: names,
  system: z.string().nullish(),
  conversations: z.array(z.object({ from: z.string(), value: z.string() })),
});

/** Names of the speakers, LLaVA's first, then those of ShareGPT. */
const ROLES: Readonly<Record<string, Turn['role']>> = {
  human: 'user',
  gpt: 'assistant',
  system: 'system',
  user: 'user',
  assistant: 'assistant',
};

/**
 * A LLaVA record: `{id, image, conversations: [{from, value}]}`, the picture's name or several in `image`, and an
 * `<image>` marker in the text for each. Rows without pictures are text. Also ShareGPT's `images` and `system`.
 *
 * @throws TesseraError `row/schema`, `row/role`, and those of the pictures and turns
 */
export function llavaRow(value: unknown, where: string, folder: ImageFolder): Row {
  refuseOtherMedia(value, where);
  const record = checked(schema, value, where);
  const images = imageNames(record.image, record.images, where).map((name) => folder.find(name, where));
  const spoken = record.conversations.map(({ from, value: text }) => ({ role: roleOf(from, where), text }));
  const system: MarkedTurn[] = record.system ? [{ role: 'system', text: record.system }] : [];
  const turns = bindMarkers([...system, ...spoken], images.length, where);
  checkTurns(turns, where);
  return { id: String(record.id ?? where), where, media: images, turns };
}

function roleOf(from: string, where: string): Turn['role'] {
  const role = Object.hasOwn(ROLES, from) ? ROLES[from] : undefined;
  if (role) return role;
  const near = nearest(from, Object.keys(ROLES));
  throw new TesseraError({
    code: 'row/role',
    message: 'nobody knows this speaker',
    path: where,
    expected: Object.keys(ROLES).join(', '),
    got: from,
    ...(near !== undefined && { remedy: `did you mean ${near}?` }),
  });
}

type Names = string | readonly string[] | null | undefined;

/** The pictures' names, which may stand under `image` or `images`. */
export function imageNames(image: Names, images: Names, where: string): readonly string[] {
  if (image != null && images != null) {
    throw new TesseraError({
      code: 'row/schema',
      message: 'the row names its pictures twice',
      path: where,
      expected: 'image or images',
      got: 'both',
    });
  }
  const given = image ?? images ?? [];
  return typeof given === 'string' ? [given] : given;
}

/** @throws TesseraError `row/media` for videos and sounds, which would otherwise be dropped unseen */
export function refuseOtherMedia(value: unknown, where: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of ['video', 'videos', 'audio', 'audios']) {
    const media = (value as Record<string, unknown>)[key];
    if (media == null || (Array.isArray(media) && media.length === 0)) continue;
    throw new TesseraError({
      code: 'row/media',
      message: `rows with ${key} are not read`,
      path: where,
      expected: 'pictures and text',
      got: JSON.stringify(media).slice(0, 60),
    });
  }
}
