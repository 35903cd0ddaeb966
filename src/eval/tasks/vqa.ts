import { z } from 'zod';
import type { Fault } from '../../base/index.ts';
import { shortAnswerPrompt } from '../../world/index.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { normaliseAnswer, vqaAccuracy } from '../metrics/vqa.ts';
import { openPictures } from './pictures.ts';
import { collect, readJson } from './rows.ts';
import type { Item, Task, Verdict } from './task.ts';
import { firstPictures } from './task.ts';

export interface VqaSource {
  readonly pictures: string;
  /** `{"questions": [{question_id, image_id, question}]}` */
  readonly questions: string;
  /** `{"annotations": [{question_id, image_id, answers: [{answer}], answer_type, multiple_choice_answer}]}` */
  readonly annotations: string;
}

export interface VqaOptions {
  /** LLaVA-1.5's request for a short answer unless told. */
  readonly suffix?: string;
  /** 16 unless told. */
  readonly maxTokens?: number;
}

const id = z.union([z.number(), z.string()]);

const questionFile = z.object({
  questions: z.array(z.object({ question_id: id, image_id: id, question: z.string(), image: z.string().optional() })),
});

const annotationFile = z.object({
  annotations: z.array(
    z.object({
      question_id: id,
      answers: z.array(z.object({ answer: z.string() })).length(10, 'VQA accuracy needs ten answers'),
      answer_type: z.string(),
      multiple_choice_answer: z.string(),
    }),
  ),
});

type Annotation = z.infer<typeof annotationFile>['annotations'][number];

/** VQAv2: open questions with short answers, scored against ten human ones (Goyal et al. 2017). */
export function vqaTask(source: VqaSource, { suffix = shortAnswerPrompt, maxTokens = 16 }: VqaOptions = {}): Task {
  return {
    name: 'vqa',
    describe: 'Asks for a word or phrase and compares it with ten human answers',
    prompt: `{question}${suffix}`,
    maxTokens,
    groups: ['all', 'yes/no', 'number', 'other'],
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
    load: (limit) => loadQuestions(source, suffix, limit),
    score: (sum) => ({ accuracy: share(sum.score ?? 0, sum.asked ?? 0) }),
  };
}

async function loadQuestions(source: VqaSource, suffix: string, limit?: number): Promise<readonly Item[]> {
  const find = openPictures(source.pictures);
  const [{ questions }, { annotations }] = await Promise.all([
    readJson(source.questions, questionFile),
    readJson(source.annotations, annotationFile),
  ]);
  const answers = new Map(annotations.map((annotation) => [`${annotation.question_id}`, annotation]));
  const seen = new Set<string>();
  const rows = collect(
    questions.map((question, i) => {
      const where = `${source.questions} questions.${i}`;
      const key = `${question.question_id}`;
      const picture = find(question.image ?? question.image_id, where);
      const gold = answers.get(key);
      const faults: Fault[] = [];
      if (typeof picture !== 'string') faults.push(picture);
      if (!gold) faults.push(missingAnswers(key, where, source.annotations));
      if (seen.has(key)) faults.push(repeated(key, where));
      seen.add(key);
      return typeof picture === 'string' && gold && faults.length === 0
        ? { ok: { question, picture, gold } }
        : { faults };
    }),
  );
  const items = rows.map(({ question, picture, gold }) => ({
    id: `${question.question_id}`,
    picture,
    prompt: question.question + suffix,
    truth: gold.multiple_choice_answer,
    judge: (answer: string) => judge(answer, gold),
  }));
  return firstPictures(items, (item) => item.picture, limit);
}

function judge(answer: string, gold: Annotation): Verdict {
  const score = vqaAccuracy(
    answer,
    gold.answers.map((other) => other.answer),
  );
  const tally: Tally = { score, asked: 1 };
  return {
    correct: score >= 0.5,
    read: normaliseAnswer(answer),
    tallies: { all: tally, [gold.answer_type]: tally },
    invented: [],
  };
}

function missingAnswers(key: string, where: string, path: string): Fault {
  return {
    code: 'eval/no-answers',
    message: 'the question has no annotation',
    path: where,
    expected: `an entry for question ${key} in ${path}`,
    got: 'none',
  };
}

function repeated(key: string, where: string): Fault {
  return { code: 'eval/repeated-question', message: 'the question number is taken', path: where, got: key };
}
