import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Row } from '../row.ts';
import { checked } from './schema.ts';

const schema = z.object({ id: z.union([z.string(), z.number()]).nullish(), text: z.string() });

/**
 * A plain text record, `{text}`, for learning to write: one assistant turn, all of it to be learned.
 * @throws TesseraError `row/schema`, `row/empty-turn`
 */
export function textRow(value: unknown, where: string): Row {
  const { id, text } = checked(schema, value, where);
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
