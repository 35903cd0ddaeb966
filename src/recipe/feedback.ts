import type { Fault } from '../base/index.ts';
import { type BuilderName, builders } from '../feedback/index.ts';
import { feedbackDefaults, judgeDefaults, withDataDefaults } from './defaults.ts';
import type { Where } from './faults.ts';
import type { DataRecipe, FeedbackRecipe, ModelRecipe, Recipe } from './schema.ts';

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

type JudgeRecipe = FeedbackRecipe['judge'];

/** Who judges; `calls`, `key_env` and `adapter` are there where they were given. */
export type JudgePlan =
  | { readonly kind: 'oracle'; readonly noise: number }
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly model: string;
      readonly key_env?: string;
      readonly max_tokens: number;
      readonly calls?: number;
      readonly timeout: number;
      readonly retries: number;
      readonly concurrency: number;
    }
  | { readonly kind: 'model'; readonly from: string; readonly adapter?: string; readonly max_tokens: number };

/** The section with its defaults. */
export function resolveFeedback(feedback: FeedbackRecipe, model: ModelRecipe, name: string): FeedbackRecipe {
  const from = feedback.from ?? model.from;
  const { kind } = feedback.judge;
  return {
    ...feedbackDefaults,
    ...(from !== undefined && { from }),
    folder: `runs/${name}-pairs`,
    ...feedback,
    judge: { ...judgeDefaults[kind], ...feedback.judge } as JudgeRecipe,
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
