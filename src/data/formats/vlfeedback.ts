import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Sample } from '../row.ts';
import { answerPair, pairImage, pairImageNames } from './answer-pair.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const aspect = z.object({ Rating: z.union([z.string(), z.number()]).nullish() });
const annotations = z.record(z.string(), aspect.nullish());
const completion = z.object({ response: z.string().nullish(), annotations: annotations.nullish() });

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  prompt: z.string(),
  /** Which models answered. */
  models: z.unknown().optional(),
  ...pairImage,
  completions: z.union([
    z.array(completion),
    z.object({ response: z.array(z.string().nullish()), annotations: z.array(annotations.nullish()) }),
  ]),
});

type Completions = z.infer<typeof schema>['completions'];

interface Scored {
  /** Its place among the answers, from 1. */
  readonly place: number;
  readonly response: string;
  readonly score: number;
}

/**
 * A row of VLFeedback (Li et al. 2023, Silkie): an instruction with several answers, each rated for some aspects from 1 to 5,
 * `{prompt, completions: {response, annotations: {aspect: {Rating}}}, img_path}`, completions as a list or as lists. Of every
 * two answers the one with the higher mean rating is preferred; ties, and answers without a rating, make no pair.
 *
 * @throws TesseraError `row/schema`, `row/no-pair`, `row/unread`, and those of the images and turns
 */
function ratedAnswers(value: unknown, where: string, folder: ImageFolder): readonly Sample[] {
  const record = checked(schema, value, where);
  const names = pairImageNames(record, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const scored = scoredOf(record.completions, where);
  const pairs = scored.flatMap((a, i) => scored.slice(i + 1).flatMap((b) => preferred(a, b)));
  if (pairs.length === 0) throw noPair(scored.length, where);
  const { id, prompt: question } = record;
  return pairs.map(([better, worse]) => {
    const of = [better.place, worse.place].sort().join('-');
    const asked = { id: `${id ?? where}-${of}`, where: `${where} answers ${of}`, question, names };
    return answerPair({ ...asked, chosen: better.response, rejected: worse.response }, folder);
  });
}

function preferred(a: Scored, b: Scored): [better: Scored, worse: Scored][] {
  const difference = a.score - b.score;
  if (Math.abs(difference) < 1e-9) return [];
  return [difference > 0 ? [a, b] : [b, a]];
}

/** The answers that are there and rated. */
function scoredOf(completions: Completions, where: string): Scored[] {
  const all = Array.isArray(completions) ? completions : columns(completions, where);
  return all.flatMap(({ response, annotations }, i) => {
    const ratings = Object.values(annotations ?? {}).flatMap((one) => ratingOf(one?.Rating));
    if (!response?.trim() || ratings.length === 0) return [];
    return [{ place: i + 1, response, score: ratings.reduce((a, b) => a + b, 0) / ratings.length }];
  });
}

function columns({ response, annotations }: Exclude<Completions, readonly unknown[]>, where: string) {
  if (response.length === annotations.length)
    return response.map((one, i) => ({ response: one, annotations: annotations[i] }));
  throw new TesseraError({
    code: 'row/schema',
    message: 'the lists of completions differ in length',
    path: where,
    expected: `${response.length} annotations`,
    got: `${annotations.length}`,
  });
}

/** Ratings are written as texts, and as N/A where there is none. */
function ratingOf(rating: string | number | null | undefined): number[] {
  const value =
    typeof rating === 'string' ? (/^\s*\d(?:\.\d+)?\s*$/.test(rating) ? Number(rating) : Number.NaN) : rating;
  return value != null && value >= 1 && value <= 5 ? [value] : [];
}

function noPair(rated: number, path: string): TesseraError {
  return new TesseraError({
    code: 'row/no-pair',
    message: rated < 2 ? 'fewer than two answers of the row are rated' : 'all answers of the row are rated the same',
    path,
    expected: 'two answers with different ratings',
    got: `${rated} rated answer${rated === 1 ? '' : 's'}`,
  });
}

export const vlfeedbackFormat = recordFormat(
  'records {prompt, models, completions: {response, annotations}}',
  ratedAnswers,
  (keys) => keys.has('completions') && keys.has('prompt') && keys.has('models'),
);
