import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Row, Sample } from '../row.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageNames, namedImages } from './names.ts';
import { type Exchange, exchangeRow } from './question.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const place = z.tuple([z.int().nonnegative(), z.int().positive()]);

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: imageNames,
  prompt: z.string(),
  chosen: z.string(),
  rejected: z.string(),
  phrases: z.array(z.object({ chosen: place, rejected: place })).min(1),
  reference: z.object({ image: imageNames, prompt: z.string(), answer: z.string() }),
});

type Place = readonly [start: number, end: number];

/** An answer with the places of its phrases. */
export interface PhrasedAnswer {
  readonly text: string;
  readonly phrases: readonly Place[];
}

/** A question with two answers that differ in some phrases, and a row whose answer is to stay as likely as it is. */
interface PhrasePair extends Omit<Exchange, 'answer'> {
  readonly chosen: PhrasedAnswer;
  readonly rejected: PhrasedAnswer;
  readonly reference: Row;
}

/**
 * The views `chosen`, `rejected` and `reference`.
 * @throws TesseraError `row/phrases`, and those of the images and turns
 */
export function phrasePair({ chosen, rejected, reference, ...asked }: PhrasePair, folder: ImageFolder): Sample {
  const view = ({ text, phrases }: PhrasedAnswer): Row => {
    checkPlaces(phrases, text, asked.where);
    return { ...exchangeRow({ ...asked, answer: text }, folder), phrases };
  };
  return { views: { chosen: view(chosen), rejected: view(rejected), reference } };
}

/**
 * Two answers that differ in some phrases, `{prompt, chosen, rejected, phrases: [{chosen: [start, end], rejected: [start,
 * end]}]}`, places in characters, and a row whose answer is to stay as likely as it is, `reference: {image, prompt, answer}`.
 * Gives the views `chosen`, `rejected` and `reference`.
 *
 * @throws TesseraError `row/schema`, `row/phrases`, `row/unread`, and those of the images and turns
 */
function placedPhrases(value: unknown, where: string, folder: ImageFolder): Sample {
  const { image, phrases, reference, ...record } = checked(schema, value, where);
  const names = namedImages(image, null, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const side = (of: 'chosen' | 'rejected') => ({ text: record[of], phrases: phrases.map((phrase) => phrase[of]) });
  const asked = { id: record.id, where, question: record.prompt, names };
  const kept = { ...asked, question: reference.prompt, names: namedImages(reference.image, null, where) };
  return phrasePair(
    {
      ...asked,
      chosen: side('chosen'),
      rejected: side('rejected'),
      reference: exchangeRow({ ...kept, answer: reference.answer }, folder),
    },
    folder,
  );
}

/** Phrases stand in the text, one behind the other. */
function checkPlaces(places: readonly Place[], text: string, where: string): void {
  let from = 0;
  for (const [start, end] of places) {
    if (start < from || end <= start || end > text.length || text.slice(start, end).trim() === '') {
      throw new TesseraError({
        code: 'row/phrases',
        message: 'the places of the phrases are no parts of the answer, one behind the other',
        path: where,
        expected: `[start, end] within ${text.length} characters, from ${from} on`,
        got: `[${start}, ${end}]`,
      });
    }
    from = end;
  }
}

export const phrasePairsFormat = recordFormat(
  'records {prompt, chosen, rejected, phrases, reference}',
  placedPhrases,
  (keys) => keys.has('chosen') && keys.has('rejected') && keys.has('phrases'),
);
