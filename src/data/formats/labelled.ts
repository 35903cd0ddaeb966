import { z } from 'zod';
import type { Row } from '../row.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const share = z.number().min(0).max(1);
const labelled = z.object({
  box: z.tuple([share, share, share, share]),
  classes: z.array(z.int().min(1)),
});
const schema = z.looseObject({ image: z.string(), caption: z.string().trim().min(1), labels: z.array(labelled) });

/**
 * A caption with what lies where in its image: `{image, caption, labels: [{box, classes}]}`. A box is left, top, right and
 * bottom as shares of the image, and its classes are numbers from 1. The user shows the image and the assistant says
 * the caption.
 */
function labelledRow(value: unknown, where: string, folder: ImageFolder): Row {
  const { image, caption, labels } = checked(schema, value, where);
  refuseUnseen(value, where, ['image', 'caption', 'labels'], [image]);
  return {
    id: where,
    where,
    media: [folder.find(image, where)],
    turns: [
      { role: 'user', parts: [{ type: 'media', media: 0 }] },
      { role: 'assistant', parts: [{ type: 'text', text: caption }] },
    ],
    labels,
  };
}

export const labelledFormat = recordFormat(
  'records {image, caption, labels: [{box, classes}]}',
  labelledRow,
  (keys) => keys.has('caption') && keys.has('labels'),
);
