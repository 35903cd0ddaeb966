import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { DataReport } from '../report.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageFolder } from './image-folder.ts';
import { records } from './records.ts';
import type { ImageRef, Outcome } from './row.ts';
import { attempt, checked } from './schema.ts';

/** A yes-or-no question whether something is in a picture. */
export interface PopeItem {
  readonly id: string;
  readonly where: string;
  readonly image: ImageRef;
  readonly question: string;
  readonly label: 'yes' | 'no';
}

const schema = z.object({
  question_id: z.union([z.string(), z.number()]),
  image: z.string(),
  text: z.string().min(1),
  label: z.enum(['yes', 'no']),
});

/**
 * Reads a POPE question file: one `{question_id, image, text, label}` a line.
 * @throws TesseraError `data/file`, `data/syntax`
 */
export function readPope(
  path: string,
  options: { readonly images?: string; readonly allowOutside?: boolean } = {},
): { items: PopeItem[]; report: DataReport } {
  const report = new DataReport();
  const folder = imageFolder(options.images ?? dirname(path), options.allowOutside);
  const items = report.collect(path, 'pope', popeItems(path, folder));
  return { items, report };
}

function* popeItems(path: string, folder: ImageFolder): Generator<Outcome<PopeItem>> {
  for (const record of records(path, basename(path))) {
    if ('refused' in record) yield record;
    else yield attempt(() => popeItem(record.kept.value, record.kept.where, folder));
  }
}

function popeItem(value: unknown, where: string, folder: ImageFolder): PopeItem {
  const { question_id, image, text, label } = checked(schema, value, where);
  return { id: String(question_id), where, image: folder.find(image, where), question: text, label };
}
