import { z } from 'zod';
import type { Row } from '../row.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageNames, namedImages } from './names.ts';
import { exchangeRow } from './question.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  system: z.string().nullish(),
  history: z.array(z.tuple([z.string(), z.string()])).nullish(),
  query: z.string(),
  response: z.string(),
  image: imageNames,
  images: imageNames,
});

/**
 * An ms-swift record: `{query, response}`, with `system`, `history` and `images` where there are any.
 * @throws TesseraError `row/schema`, `row/media`, `row/unread`, and those of the pictures and turns
 */
function queryRow(value: unknown, where: string, folder: ImageFolder): Row {
  const { query, response, image, images, ...rest } = checked(schema, value, where);
  const names = namedImages(image, images, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  return exchangeRow({ ...rest, id: rest.id, where, question: query, answer: response, names }, folder);
}

export const queryResponseFormat = recordFormat(
  'records {query, response}',
  queryRow,
  (keys) => keys.has('query') && keys.has('response'),
);
