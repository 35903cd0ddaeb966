import type { Fault } from '../../base/index.ts';
import type { Answer } from '../../data/index.ts';
import { type VqaFiles, type VqaQuestion, vqaQuestions } from '../../data/index.ts';
import { shortAnswerPrompt } from '../../world/index.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { normaliseAnswer, vqaAccuracy } from '../metrics/vqa.ts';
import { type ImageSource, openImages } from './images.ts';
import { collect } from './rows.ts';
import type { Item, Task, Verdict } from './task.ts';
import { firstImages } from './task.ts';

export interface VqaSource extends VqaFiles, ImageSource {}

export interface VqaOptions {
  /** LLaVA-1.5's request for a short answer unless told. */
  readonly suffix?: string;
  /** 16 unless told. */
  readonly maxTokens?: number;
}

/**
 * VQAv2: open questions with short answers, scored against ten reference answers (Goyal et al. 2017). Those of VQAv2 are
 * of people, those of the tabletop world its own.
 */
export function vqaTask(source: VqaSource, { suffix = shortAnswerPrompt, maxTokens = 16 }: VqaOptions = {}): Task {
  return {
    name: 'vqa',
    describe:
      'Asks for a word or phrase and compares it with the ten answers of each question. Places: the questions about ' +
      'left, right, above, below, top and bottom',
    prompt: `{question}${suffix}`,
    maxTokens,
    groups: ['all', 'yes/no', 'number', 'other', 'places'],
    metrics: [
      {
        name: 'accuracy',
        label: 'accuracy',
        describe: 'mean over leave-one-out subsets of min(1, matching answers / 3)',
        unit: 'share',
        better: 'high',
        headline: true,
      },
    ],
    load: async (limit) => loadQuestions(source, suffix, limit),
    score: (sum) => ({ accuracy: share(sum.score ?? 0, sum.asked ?? 0) }),
  };
}

function loadQuestions(source: VqaSource, suffix: string, limit?: number): readonly Item[] {
  const find = openImages(source);
  const seen = new Set<string>();
  const rows = collect(
    [...vqaQuestions(source)].map((outcome) => {
      if ('refused' in outcome) return { faults: [outcome.refused] };
      const question = outcome.kept;
      const image = find(question.imageName ?? question.imageId, question.where);
      const faults = questionFaults(question, seen.has(question.id));
      seen.add(question.id);
      if (typeof image !== 'string') return { faults: [image, ...faults] };
      return faults.length > 0 ? { faults } : { ok: { question, image } };
    }),
  );
  const items = rows.map(({ question, image }) => ({
    id: question.id,
    image,
    prompt: question.question + suffix,
    truth: question.answer,
    judge: ({ text }: Answer) => judge(text, question),
  }));
  return firstImages(items, (item) => item.image, limit);
}

/** What evaluation wants beyond training. */
function questionFaults({ id, where, answers, answerType }: VqaQuestion, repeated: boolean): Fault[] {
  const fault = (code: string, message: string, expected: string, got: string) => ({
    code,
    message,
    path: where,
    expected,
    got,
  });
  const ten = 'VQA accuracy compares an answer with ten';
  return [
    ...(answers.length === 10 ? [] : [fault('eval/answers', ten, '10 answers', `${answers.length}`)]),
    ...(answerType
      ? []
      : [fault('eval/answer-type', 'the annotation has no answer_type', 'yes/no, number or other', 'none')]),
    ...(repeated ? [fault('eval/repeated-question', 'the question number is taken', 'each number once', id)] : []),
  ];
}

/** A question about where something is. */
const asksForPlace = /\b(left|right|above|below|top|bottom)\b/i;

function judge(answer: string, { question, answers, answerType }: VqaQuestion): Verdict {
  const score = vqaAccuracy(answer, answers);
  const tally: Tally = { score, asked: 1 };
  return {
    correct: score >= 0.5,
    read: normaliseAnswer(answer),
    tallies: {
      all: tally,
      ...(answerType && { [answerType]: tally }),
      ...(asksForPlace.test(question) && { places: tally }),
    },
    invented: [],
  };
}
