import type { Random } from '../../base/index.ts';
import type { Scene } from '../scene.ts';
import { caption } from './captions.ts';
import { detail } from './details.ts';
import { askExpected } from './existence.ts';
import type { Question } from './question.ts';
import { shortAnswer, shortAnswerPrompt } from './question.ts';
import type { Topic } from './questions.ts';
import { askQuestions, conversationWeights, only } from './questions.ts';
import type { Exchange } from './reasoning.ts';
import { reason } from './reasoning.ts';

/** The three kinds of rows of LLaVA-Instruct-150K. */
export const instructionKinds = ['conversation', 'detail', 'reasoning'] as const;
export type InstructionKind = (typeof instructionKinds)[number];

export const captionPrompts = [
  'Describe the image briefly.',
  'What is in the image?',
  'Give a short caption.',
] as const;
export const detailPrompts = [
  'Describe the image in detail.',
  'Please describe this image in detail.',
  'What do you see in the image? Describe it in detail.',
] as const;

export interface ConversationOptions {
  /** Fewest and most question-and-answer turns. */
  readonly turns: readonly [number, number];
  /** Probability that a question asks for a single word, as in LLaVA-1.5. */
  readonly shortAnswers: number;
  /** What is asked about; everything when absent. */
  readonly topics?: readonly Topic[];
  /**
   * Probability that a description goes on with what is not there and most often keeps the company of what is, and
   * that a question with the answer "no" becomes one about such a thing, answered with "yes".
   */
  readonly cooccurrence?: number;
}

export const defaultConversationOptions: ConversationOptions = { turns: [4, 8], shortAnswers: 0.4 };

/** The exchange for a question, in one word or in a sentence. */
export function answered(question: Question, short: boolean, random: Random): Exchange {
  if (short) return { question: question.text + shortAnswerPrompt, answer: shortAnswer(question) };
  return { question: question.text, answer: random.pick(question.sentences) };
}

/** Several turns about one picture, dense in what can be seen; one in four begins with a short caption. */
export function converse(scene: Scene, options: ConversationOptions, random: Random): Exchange[] {
  const [least, most] = options.turns;
  const questions = askQuestions(scene, random.int(least, most + 1), random, only(options.topics, conversationWeights));
  const told = expecting(scene, questions, options.cooccurrence ?? 0, random);
  const turns = told.map((question) => answered(question, random.chance(options.shortAnswers), random));
  if (options.topics || !random.chance(0.25)) return turns;
  return [{ question: random.pick(captionPrompts), answer: caption(scene, random) }, ...turns.slice(1)];
}

/** Questions, some of those about what is absent turned into what is expected; none is asked twice. */
function expecting(scene: Scene, questions: readonly Question[], probability: number, random: Random): Question[] {
  if (probability === 0) return [...questions];
  const told: Question[] = [];
  for (const [i, question] of questions.entries()) {
    const denied = question.topic === 'exists' && question.short === 'no';
    const expected = denied && random.chance(probability) ? askExpected(scene, random) : undefined;
    const known = [...told, ...questions.slice(i + 1)].some(({ subject }) => subject === expected?.subject);
    told.push(expected && !known ? expected : question);
  }
  return told;
}

/** The exchanges of one instruction row of the given kind. */
export function instruct(
  scene: Scene,
  kind: InstructionKind,
  options: ConversationOptions,
  random: Random,
): Exchange[] {
  if (kind === 'conversation') return converse(scene, options, random);
  if (kind === 'detail')
    return [{ question: random.pick(detailPrompts), answer: detail(scene, random, options.cooccurrence) }];
  return reason(scene, random.int(1, 3), random);
}
