import { z } from 'zod';
import type { Fault } from '../base/index.ts';
import { type BuilderName, builderNames, builders } from '../feedback/index.ts';
import { feedbackDefaults, judgeDefaults, withDataDefaults } from './defaults.ts';
import type { Where } from './faults.ts';
import { option, optional, section } from './option.ts';
import type { DataRecipe, FeedbackRecipe, ModelRecipe, Recipe } from './schema.ts';

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

/** What pairs are made of, with nothing left open. */
export interface FeedbackPlan {
  /** The model that answers; absent where nobody has said it. */
  readonly from?: string;
  readonly adapter?: string;
  readonly builder: BuilderName;
  readonly judge: JudgePlan;
  readonly data: readonly DataRecipe[];
  readonly prompts?: readonly string[];
  readonly count?: number;
  readonly answers: number;
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number;
  readonly folder: string;
}

type Filled<T> = T extends unknown ? { readonly [K in keyof T]-?: NonNullable<T[K]> } : never;
export type JudgePlan = Filled<FeedbackRecipe['judge']>;

/** The section with its defaults. */
export function resolveFeedback(feedback: FeedbackRecipe, model: ModelRecipe, name: string): FeedbackRecipe {
  const from = feedback.from ?? model.from;
  const { kind } = feedback.judge;
  return {
    ...feedbackDefaults,
    ...(from !== undefined && { from }),
    folder: `runs/${name}-pairs`,
    ...feedback,
    judge: { ...judgeDefaults[kind], ...feedback.judge },
    data: feedback.data.map(withDataDefaults),
  };
}

/** The plan of a section with its defaults. */
export function feedbackPlan(feedback: FeedbackRecipe): FeedbackPlan {
  const { top_p, max_tokens, ...rest } = feedback;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, topP: top_p, maxTokens: max_tokens } as FeedbackPlan;
}

/** Faults of a section with its defaults that one key alone cannot show. */
export function feedbackFaults({ feedback }: Recipe, where: Where): Fault[] {
  if (!feedback) return [];
  const { builder, answers = 1, temperature = 0, judge, data } = feedback;
  const faults: Fault[] = [];
  const fault = (key: string, message: string, expected: string, got: string) =>
    faults.push({ code: 'recipe/feedback', message, path: where(['feedback', key]), expected, got });
  const least = builders[builder].answers;
  if (answers < least) {
    fault('answers', `${builder} holds answers to a question against each other`, `at least ${least}`, `${answers}`);
  }
  if (temperature === 0 && answers > 1) {
    fault('temperature', 'without chance all answers to a question are the same', 'more than 0, or 1 answer', '0');
  }
  if (judge.kind === 'oracle' && data.some(({ source }) => source !== 'tabletop')) {
    fault(
      'judge',
      'the oracle reads scenes, which only images of the tabletop have',
      'data of source tabletop',
      'files',
    );
  }
  return faults;
}
