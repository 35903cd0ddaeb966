import type { Random } from '../../base/index.ts';
import { backgrounds, colors, patterns, shapes, sizes } from '../attributes.ts';
import type { AnswerType, Question } from '../language/question.ts';
import { askQuestions, vqaWeights } from '../language/questions.ts';
import { places } from '../predicates.ts';
import type { Scene } from '../scene.ts';
import { listText, stream, type WorldTaskRecord } from './writer.ts';

export interface VqaQuestion {
  readonly question_id: number;
  readonly image_id: number;
  readonly question: string;
}

export interface VqaAnnotation {
  readonly question_id: number;
  readonly image_id: number;
  /** The first words of the question. */
  readonly question_type: string;
  readonly answer_type: AnswerType;
  readonly answers: readonly { answer: string; answer_id: number; answer_confidence: 'yes' }[];
  readonly multiple_choice_answer: string;
}

const annotators = 10;

/**
 * Questions about a scene with ten answers each, as in VQAv2.
 * @param noise how many of the ten annotators answer wrongly
 */
function vqaItems(
  scene: Scene,
  number: number,
  noise: number,
  random: Random,
): { question: VqaQuestion; annotation: VqaAnnotation }[] {
  const { image_id } = scene;
  return askQuestions(scene, number, random, vqaWeights).map((asked, i) => {
    const ids = { question_id: image_id * 1000 + i, image_id };
    return { question: { ...ids, question: asked.text }, annotation: { ...ids, ...annotate(asked, noise, random) } };
  });
}

function annotate(asked: Question, noise: number, random: Random): Omit<VqaAnnotation, 'question_id' | 'image_id'> {
  const wrong = new Set(random.shuffle(Array.from({ length: annotators }, (_, i) => i)).slice(0, noise));
  const answers = Array.from({ length: annotators }, (_, i) => ({
    answer: wrong.has(i) ? wrongAnswer(asked, random) : asked.short,
    answer_id: i + 1,
    answer_confidence: 'yes' as const,
  }));
  return {
    question_type: asked.text.toLowerCase().split(' ').slice(0, 2).join(' '),
    answer_type: asked.answerType,
    answers,
    multiple_choice_answer: asked.short,
  };
}

/** Another answer of the same kind. */
function wrongAnswer({ answerType, short }: Question, random: Random): string {
  if (answerType === 'yes/no') return short === 'yes' ? 'no' : 'yes';
  if (answerType === 'number') return `${Number(short) + 1}`;
  const kinds: readonly (readonly string[])[] = [sizes, patterns, places, backgrounds, colors, shapes];
  const kind = kinds.find((names) => names.includes(short)) ?? [];
  return random.pick(kind.filter((name) => name !== short));
}

export const vqaTask = {
  describe: 'questions with short answers',
  training: {
    file: 'vqa_questions.json',
    format: 'vqa',
    annotations: 'vqa_annotations.json',
    image_name: '{id:12}.png',
  },
  uses: [],
  write: (scenes, settings) => {
    const { questionsPerImage, annotatorNoise } = settings;
    const items = scenes.flatMap((s) => vqaItems(s, questionsPerImage, annotatorNoise, stream(settings, 'vqa', s)));
    const questions = listText(items.map((item) => item.question));
    const annotations = listText(items.map((item) => item.annotation));
    return {
      'vqa_questions.json': { text: `{"questions":${questions}}\n`, rows: items.length },
      'vqa_annotations.json': { text: `{"annotations":${annotations}}\n`, rows: items.length },
    };
  },
} as const satisfies WorldTaskRecord;
