import { z } from 'zod';
import { parseJson } from '../../files/index.ts';
import type { Sample } from '../row.ts';
import { answerPair, pairImage, pairImageNames } from './answer-pair.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const pair = z.object({ question: z.string(), chosen: z.string(), rejected: z.string() });
const about = {
  ds_name: z.string().nullish(),
  idx: z.union([z.string(), z.number()]).nullish(),
  origin_dataset: z.unknown().optional(),
  origin_split: z.unknown().optional(),
  /** Log-probabilities by the model that the authors trained. */
  logps: z.unknown().optional(),
  ...pairImage,
};
const inText = z.object({ ...about, text: z.union([z.string(), pair]) });
const inColumns = z.object({ ...about, ...pair.shape });

/**
 * A row of RLHF-V-Dataset (Yu et al. 2023): `{image, text, ds_name, idx, image_path, …}`, where the text is JSON of
 * `{question, chosen, rejected}`; chosen is what people made of the rejected answer.
 *
 * @throws TesseraError `row/schema`, `row/syntax`, `row/unread`, and those of the images and turns
 */
function correctedPair(value: unknown, where: string, folder: ImageFolder): Sample {
  const { text, ...record } = checked(inText, value, where);
  const said = typeof text === 'string' ? parseJson(text, { file: `${where} text`, area: 'row' }) : text;
  return sampleOf({ ...record, ...checked(pair, said, where) }, value, where, folder);
}

/**
 * A row of RLAIF-V-Dataset (Yu et al. 2024): the same with `question`, `chosen` and `rejected` as columns.
 * @throws TesseraError `row/schema`, `row/unread`, and those of the images and turns
 */
function ratedPair(value: unknown, where: string, folder: ImageFolder): Sample {
  return sampleOf(checked(inColumns, value, where), value, where, folder);
}

function sampleOf(record: z.infer<typeof inColumns>, value: unknown, where: string, folder: ImageFolder): Sample {
  const names = pairImageNames(record, where);
  refuseUnseen(value, where, [...Object.keys(inColumns.shape), 'text'], names);
  const { idx: id, question, chosen, rejected } = record;
  return answerPair({ id, where, question, chosen, rejected, names }, folder);
}

export const rlhfVFormat = recordFormat(
  'records {image, text}, the text being JSON of {question, chosen, rejected}',
  correctedPair,
  (keys) => keys.has('text') && keys.has('ds_name'),
);

export const rlaifVFormat = recordFormat(
  'records {image, question, chosen, rejected}',
  ratedPair,
  (keys) => keys.has('question') && keys.has('chosen') && keys.has('rejected') && !keys.has('prompt'),
);
