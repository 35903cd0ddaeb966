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
  instruction: z.string(),
  input: z.string().nullish(),
  output: z.string(),
  system: z.string().nullish(),
  history: z.array(z.tuple([z.string(), z.string()])).nullish(),
  image: imageNames,
  images: imageNames,
});

/**
 * An Alpaca record as LLaMA-Factory has it: `{instruction, input, output}`, the input under the instruction, with
 * `system`, `history` and `images` where there are any.
 *
 * @throws TesseraError `row/schema`, `row/media`, `row/unread`, and those of the images and turns
 */
function alpacaRow(value: unknown, where: string, folder: ImageFolder): Row {
  const { instruction, input, output, image, images, ...rest } = checked(schema, value, where);
  const names = namedImages(image, images, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const question = [instruction, input].filter(Boolean).join('\n');
  return exchangeRow({ ...rest, id: rest.id, where, question, answer: output, names }, folder);
}

export const alpacaFormat = recordFormat(
  'records {instruction, input, output}',
  alpacaRow,
  (keys) => keys.has('instruction') && keys.has('output'),
);
