import { z } from 'zod';
import { builderNames, builders } from '../feedback/index.ts';
import { option, optional, section } from './option.ts';

const count = z.int().positive().max(1_000_000);
const file = z.string().min(1);

/** Judges, by the kind that a recipe names. */
const judgeSection = z.discriminatedUnion('kind', [
  section({
    kind: option(z.literal('oracle'), 'who judges: oracle reads the scenes of tabletop images'),
    noise: optional(
      z.number().min(0).max(1),
      'for oracle: probability that what it finds of a statement is turned over',
    ),
  }),
]);

/** The section `feedback`. @param data the sources that rows come from */
export function feedbackSection<D extends z.ZodType>(data: D) {
  const built = builderNames.map((name) => `${name}: ${builders[name].says}`).join('; ');
  return section({
    from: optional(file, 'run or model folder whose answers are judged'),
    adapter: optional(file, 'LoRA adapter in PEFT layout that is added to it'),
    builder: option(z.enum(builderNames), `how pairs are made; ${built}`),
    judge: option(judgeSection, 'who says what answers are worth'),
    data: option(z.array(data).min(1), 'rows whose first questions, each about one image, are asked'),
    prompts: optional(
      z.array(z.string().min(1)).min(1),
      'asked about the images of the rows, one drawn for each, in the place of their questions',
    ),
    count: optional(count, 'questions to ask, the first of the rows; all when absent'),
    answers: optional(count.max(64), 'answers to a question'),
    temperature: optional(z.number().min(0).max(100), 'of the draws; 0 takes the likeliest token'),
    top_p: optional(z.number().gt(0).max(1), 'draws from the likeliest tokens that make up this share'),
    max_tokens: optional(count, 'longest answer in tokens; longer ones are refused and counted'),
    seed: optional(
      z
        .int()
        .nonnegative()
        .max(2 ** 31 - 1),
      'seed of every draw',
    ),
    folder: optional(file, 'where the pair set goes'),
  });
}
