import { basename } from 'node:path';
import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Row } from '../row.ts';
import type { Format } from './format.ts';
import { alone, recordFormat } from './format.ts';
import { textLines } from './json-lines.ts';
import { attempt, checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const schema = z.object({ id: z.union([z.string(), z.number()]).nullish(), text: z.string() });

/**
 * A plain text record, `{text}`, for learning to write: one assistant turn, all of it to be learned.
 * @throws TesseraError `row/schema`, `row/empty-turn`, `row/unread`
 */
function textRow(value: unknown, where: string): Row {
  const { id, text } = checked(schema, value, where);
  refuseUnseen(value, where, ['id', 'text']);
  if (text.trim() === '') {
    throw new TesseraError({ code: 'row/empty-turn', message: 'the text is empty', path: where });
  }
  return {
    id: String(id ?? where),
    where,
    media: [],
    turns: [{ role: 'assistant', parts: [{ type: 'text', text }] }],
  };
}

const records = recordFormat('', textRow, (keys) => keys.has('text'));

export const textFormat = {
  ...records,
  looks: 'records {text}, or a .txt file with a text a line',
  known: { ...records.known, file: isPlainText },
  samples: (path, folder) => (isPlainText(path) ? plainRows(path) : records.samples(path, folder)),
} satisfies Format;

/** A `.txt` file holds plain text, whatever it begins with. */
function isPlainText(path: string): boolean {
  return /\.txt$/i.test(path);
}

function* plainRows(path: string): ReturnType<Format['samples']> {
  for (const line of textLines(path, basename(path))) {
    if ('refused' in line) yield line;
    else yield attempt(() => alone(textRow({ text: line.kept.text }, line.kept.where)));
  }
}
