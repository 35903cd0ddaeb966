import { z } from 'zod';
import { nearest, TesseraError } from '../../base/index.ts';
import type { Row, Turn } from '../row.ts';
import type { MarkedTurn } from './conversation.ts';
import { bindMarkers, checkTurns } from './conversation.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { learnedKeys, learnedOf } from './learned.ts';
import { imageNames, namedImages } from './names.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: imageNames,
  images: imageNames,
  system: z.string().nullish(),
  conversations: z.array(z.looseObject({ from: z.string(), value: z.string() })),
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
 * A LLaVA record: `{id, image, conversations: [{from, value}]}`, the image's name or several in `image`, and an
 * `<image>` marker in the text for each. Rows without images are text. Also ShareGPT's `images` and `system`.
 *
 * @throws TesseraError `row/schema`, `row/role`, `row/media`, `row/unread`, and those of the images and turns
 */
export function llavaRow(value: unknown, where: string, folder: ImageFolder): Row {
  const record = checked(schema, value, where);
  const names = namedImages(record.image, record.images, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const images = names.map((name) => folder.find(name, where));
  const spoken = record.conversations.map((turn) => {
    refuseUnseen(turn, where, ['from', 'value', ...learnedKeys], names);
    const role = roleOf(turn.from, where);
    return { role, text: turn.value, ...learned(turn, role, where) };
  });
  const system: MarkedTurn[] = record.system ? [{ role: 'system', text: record.system }] : [];
  const turns = bindMarkers([...system, ...spoken], images.length, where);
  checkTurns(turns, where);
  return { id: String(record.id ?? where), where, media: images, turns };
}

function learned(turn: unknown, role: Turn['role'], where: string): { learned?: boolean } {
  const said = learnedOf(turn, role, where);
  return said === undefined ? {} : { learned: said };
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

export const llavaFormat = recordFormat('records {image, conversations: [{from, value}]}', llavaRow, (keys) =>
  keys.has('conversations'),
);
