import { z } from 'zod';
import type { Row } from '../row.ts';
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
  prompt: said,
  completion: said,
  image: imageNames,
  images: imageNames,
});

/**
 * A TRL record: `{prompt, completion}`, each a text or a list of messages. The completion alone is learned: answers in
 * the prompt are shown only.
 *
 * @throws TesseraError `row/schema`, `row/media`, `row/unread`, and those of the images and turns
 */
function completionRow(value: unknown, where: string, folder: ImageFolder): Row {
  for (const key of ['prompt', 'completion']) refuseUnseenTurns(value, where, key);
  const { id, prompt, completion, image, images } = checked(schema, value, where);
  const names = namedImages(image, images, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const before = messagesOf(prompt, 'user').map((message) =>
    message.role === 'assistant' ? { role: message.role, content: message.content, train: false } : message,
  );
  const shown = conversation([...before, ...messagesOf(completion, 'assistant')], names, where, folder);
  checkTurns(shown.turns, where);
  return { id: String(id ?? where), where, media: shown.images, turns: shown.turns };
}

function messagesOf(given: z.infer<typeof said>, role: 'user' | 'assistant'): z.infer<typeof messageList> {
  return typeof given === 'string' ? [{ role, content: given }] : given;
}

export const promptCompletionFormat = recordFormat(
  'records {prompt, completion}',
  completionRow,
  (keys) => keys.has('prompt') && keys.has('completion'),
);
