import { z } from 'zod';
import type { Row, Sample } from '../row.ts';
import { checkTurns } from './conversation.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { conversation, messageList, refuseUnseenTurns } from './messages.ts';
import { imageNames, namedImages } from './names.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const said = z.union([z.string(), messageList]);

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  prompt: said.nullish(),
  chosen: said,
  rejected: said,
  image: imageNames,
  images: imageNames,
});

/**
 * A preference record as TRL has it: `{prompt, chosen, rejected}`, each a text or a list of messages; without a prompt
 * both lists begin with it. Gives the views `chosen` and `rejected`.
 *
 * @throws TesseraError `row/schema`, `row/media`, `row/unread`, and those of the images and turns
 */
function preferencePair(value: unknown, where: string, folder: ImageFolder): Sample {
  for (const key of ['prompt', 'chosen', 'rejected']) refuseUnseenTurns(value, where, key);
  const record = checked(schema, value, where);
  const names = namedImages(record.image, record.images, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const before =
    typeof record.prompt === 'string' ? [{ role: 'user' as const, content: record.prompt }] : record.prompt;
  const view = (answer: z.infer<typeof said>): Row => {
    const after = typeof answer === 'string' ? [{ role: 'assistant' as const, content: answer }] : answer;
    const { images, turns } = conversation([...(before ?? []), ...after], names, where, folder);
    checkTurns(turns, where);
    return { id: String(record.id ?? where), where, media: images, turns };
  };
  return { views: { chosen: view(record.chosen), rejected: view(record.rejected) } };
}

export const preferenceFormat = recordFormat(
  'records {prompt, chosen, rejected}',
  preferencePair,
  (keys) => keys.has('chosen') && keys.has('rejected') && !keys.has('conversations'),
);
