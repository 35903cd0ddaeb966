import { basename } from 'node:path';
import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Outcome, Row, Sample } from '../row.ts';
import { csvRecords } from './csv.ts';
import { alone, type Format } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import type { Located } from './json-lines.ts';
import { imageNames, namedImages } from './names.ts';
import { records } from './records.ts';
import { attempt, checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

/** Keys under which image folders keep the words about an image. */
const captionKeys = ['text', 'caption', 'description'];

const schema = z.looseObject({
  id: z.union([z.string(), z.number()]).nullish(),
  file_name: z.string().nullish(),
  image: imageNames,
});

/**
 * A record of a Hugging Face image folder: `{file_name, text}`, or `{image, text}`; the caption may also stand under
 * `caption` or `description`. The user shows the image and the assistant says the caption.
 *
 * @throws TesseraError `row/schema`, `row/caption`, `row/unread`, and those of the images
 */
function captionedRow(value: unknown, where: string, folder: ImageFolder): Row {
  const record = checked(schema, value, where);
  const source = record.file_name == null ? 'image' : 'file_name';
  const names = namedImages(record[source], undefined, where);
  const [name] = names;
  if (name === undefined || names.length > 1) throw notOneImage(names, where);
  const present = captionKeys.filter((key) => typeof record[key] === 'string' && (record[key] as string).trim() !== '');
  const [key] = present;
  if (key === undefined || present.length > 1) throw noCaption(record, present, where);
  refuseUnseen(value, where, ['id', source, key], names);
  return {
    id: String(record.id ?? where),
    where,
    media: [folder.find(name, where)],
    turns: [
      { role: 'user', parts: [{ type: 'media', media: 0 }] },
      { role: 'assistant', parts: [{ type: 'text', text: (record[key] as string).trim() }] },
    ],
  };
}

function notOneImage(names: readonly string[], path: string): TesseraError {
  return new TesseraError({
    code: 'row/schema',
    message: 'the record is about one image',
    path,
    expected: 'its name under image or file_name',
    got: names.join(', ') || 'none',
    remedy: 'write rows of several images, or of none, as {messages, images}',
  });
}

function noCaption(record: object, present: readonly string[], path: string): TesseraError {
  return new TesseraError({
    code: 'row/caption',
    message: present.length === 0 ? 'the record has no words about its image' : 'the record has several captions',
    path,
    expected: `one of ${captionKeys.join(', ')}`,
    got: present.join(', ') || Object.keys(record).join(', '),
    remedy: 'keep the caption that is to be learned under text',
  });
}

const isCsv = (path: string) => /\.csv$/i.test(path);

function* folderSamples(path: string, folder: ImageFolder): Generator<Outcome<Sample>> {
  const name = basename(path);
  const all: Iterable<Outcome<Located>> = isCsv(path) ? csvRecords(path, name) : records(path, name, folder.keep);
  for (const one of all) {
    if ('refused' in one) yield one;
    else yield attempt(() => alone(captionedRow(one.kept.value, one.kept.where, folder)));
  }
}

export const imageFolderFormat = {
  looks:
    'records {image, text}, or metadata.jsonl or metadata.csv with {file_name, text}; caption or description for text',
  known: {
    file: (name) => /^metadata\.csv$/i.test(name),
    record: (keys) => (keys.has('file_name') || keys.has('image')) && captionKeys.some((key) => keys.has(key)),
  },
  options: {},
  samples: folderSamples,
} satisfies Format;
