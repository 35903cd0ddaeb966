import { basename } from 'node:path';
import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Outcome, Row, Sample } from '../row.ts';
import { alone, type Format } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { sectionItems } from './json-stream.ts';
import { attempt, checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const key = z.union([z.string(), z.number()]);
const image = z.object({ id: key, file_name: z.string() });
const annotation = z.object({ id: key.nullish(), image_id: key, caption: z.string() });

/**
 * COCO captions, `{images: [{id, file_name}], annotations: [{id, image_id, caption}]}`: one row a caption, the user
 * showing the image and the assistant saying the caption, without the white space around it.
 *
 * @throws TesseraError `data/file`, `data/syntax`, `data/no-section`, `data/duplicate-image`
 */
function* cocoRows(path: string, folder: ImageFolder): Generator<Outcome<Sample>> {
  const name = basename(path);
  const files = imageFiles(path, name);
  for (const { index, value } of sectionItems(path, 'annotations')) {
    yield attempt(() => alone(captionRow(value, `${name} annotation ${index + 1}`, files, folder)));
  }
}

/** Names of the images by their ids, or why rows about one are refused. */
type ImageFiles = Map<string, Outcome<string>>;

function imageFiles(path: string, name: string): ImageFiles {
  const files: ImageFiles = new Map();
  for (const { index, value } of sectionItems(path, 'images')) {
    const where = `${name} image ${index + 1}`;
    const { id, file_name } = checked(image, value, where);
    const before = files.get(String(id));
    if (before) {
      throw new TesseraError({
        code: 'data/duplicate-image',
        message: 'two images have one id',
        path: where,
        got: `${id}: ${'kept' in before ? before.kept : 'another'} and ${file_name}`,
      });
    }
    const seen = attempt(() => refuseUnseen(value, where, ['id', 'file_name'], [file_name]));
    files.set(String(id), 'refused' in seen ? seen : { kept: file_name });
  }
  return files;
}

function captionRow(value: unknown, where: string, files: ImageFiles, folder: ImageFolder): Row {
  const { id, image_id, caption } = checked(annotation, value, where);
  const file = files.get(String(image_id));
  if (file === undefined) {
    throw new TesseraError({
      code: 'row/unknown-image',
      message: 'the caption is about an image that the file does not list',
      path: where,
      expected: `one of the ${files.size} ids under images`,
      got: String(image_id),
    });
  }
  if ('refused' in file) throw new TesseraError(file.refused);
  refuseUnseen(value, where, Object.keys(annotation.shape), [file.kept]);
  const text = caption.trim();
  if (text === '') throw new TesseraError({ code: 'row/empty-turn', message: 'the caption is empty', path: where });
  return {
    id: String(id ?? where),
    where,
    media: [folder.find(file.kept, where)],
    turns: [
      { role: 'user', parts: [{ type: 'media', media: 0 }] },
      { role: 'assistant', parts: [{ type: 'text', text }] },
    ],
  };
}

export const cocoFormat = {
  looks: 'an object {images: [{id, file_name}], annotations: [{image_id, caption}]}',
  known: { section: (section, keys) => section === 'annotations' && keys.has('caption') },
  options: {},
  samples: cocoRows,
} satisfies Format;
