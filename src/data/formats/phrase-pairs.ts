import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Row, Sample } from '../row.ts';
import { checkTurns } from './conversation.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { conversation } from './messages.ts';
import { imageNames, namedImages } from './names.ts';
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

/**
 * Two answers that differ in some phrases, `{prompt, chosen, rejected, phrases: [{chosen: [start, end], rejected: [start,
 * end]}]}`, places in characters, and a row whose answer is to stay as likely as it is, `reference: {image, prompt, answer}`.
 * Gives the views `chosen`, `rejected` and `reference`.
 *
 * @throws TesseraError `row/schema`, `row/phrases`, `row/unread`, and those of the images and turns
 */
function phrasePair(value: unknown, where: string, folder: ImageFolder): Sample {
  const record = checked(schema, value, where);
  const names = namedImages(record.image, null, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const row = (prompt: string, answer: string, images: readonly string[]): Row => {
    const messages = [
      { role: 'user' as const, content: prompt },
      { role: 'assistant' as const, content: answer },
    ];
    const shown = conversation(messages, images, where, folder);
    checkTurns(shown.turns, where);
    return { id: String(record.id ?? where), where, media: shown.images, turns: shown.turns };
  };
  const side = (of: 'chosen' | 'rejected'): Row => {
    const phrases = record.phrases.map((phrase): Place => phrase[of]);
    checkPlaces(phrases, record[of], `${where} ${of}`);
    return { ...row(record.prompt, record[of], names), phrases };
  };
  const { image, prompt, answer } = record.reference;
  return {
    views: {
      chosen: side('chosen'),
      rejected: side('rejected'),
      reference: row(prompt, answer, namedImages(image, null, where)),
    },
  };
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
  phrasePair,
  (keys) => keys.has('chosen') && keys.has('rejected') && keys.has('phrases'),
);
