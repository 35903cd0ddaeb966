import { z } from 'zod';
import type { Row } from '../row.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageNames, namedImages } from './names.ts';
import { exchangeRow } from './question.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const rest = {
  id: z.union([z.string(), z.number()]).nullish(),
  system: z.string().nullish(),
  history: z.array(z.tuple([z.string(), z.string()])).nullish(),
  image: imageNames,
  images: imageNames,
};
const queries = z.object({ ...rest, query: z.string(), response: z.string() });
const questions = z.object({ ...rest, question: z.string(), answer: z.string() });

/**
 * An ms-swift record: `{query, response}`, with `system`, `history` and `images` where there are any; also
 * `{question, answer}`.
 * @throws TesseraError `row/schema`, `row/media`, `row/unread`, and those of the images and turns
 */
function queryRow(value: unknown, where: string, folder: ImageFolder): Row {
  const { read, ...exchange } = isQuestion(value) ? questionOf(value, where) : queryOf(value, where);
  const names = namedImages(exchange.image, exchange.images, where);
  refuseUnseen(value, where, read, names);
  return exchangeRow({ ...exchange, id: exchange.id, where, names }, folder);
}

function isQuestion(value: unknown): boolean {
  return typeof value === 'object' && value !== null && asks(new Set(Object.keys(value)));
}

const asks = (keys: ReadonlySet<string>) => keys.has('question') && keys.has('answer') && !keys.has('query');

function questionOf(value: unknown, where: string) {
  return { ...checked(questions, value, where), read: Object.keys(questions.shape) };
}

function queryOf(value: unknown, where: string) {
  const { query, response, ...others } = checked(queries, value, where);
  return { ...others, question: query, answer: response, read: Object.keys(queries.shape) };
}

export const queryResponseFormat = recordFormat(
  'records {query, response} or {question, answer}',
  queryRow,
  (keys) => (keys.has('query') && keys.has('response')) || asks(keys),
);
