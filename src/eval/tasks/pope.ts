import { z } from 'zod';
import type { Answer } from '../../data/index.ts';
import type { PopeCounts, YesNo } from '../metrics/pope.ts';
import { isUnclear, parseYesNo, popeCounts, popeScores } from '../metrics/pope.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { type ImageSource, openImages } from './images.ts';
import { collect, readJsonLines } from './rows.ts';
import type { Item, Metric, Task, Verdict } from './task.ts';
import { firstImages, shareMetric } from './task.ts';

/** The `image` names of the questions are those of the images. */
export interface PopeSource extends ImageSource {
  /** Question files (one JSON object a line) by split, such as `random`, `popular` and `adversarial`. */
  readonly questions: Readonly<Record<string, string>>;
}

export interface PopeOptions {
  /** Added after every question; nothing unless told. */
  readonly suffix?: string;
  /** 16 unless told. */
  readonly maxTokens?: number;
}

const question = z.object({
  question_id: z.union([z.number(), z.string()]),
  image: z.string(),
  text: z.string(),
  label: z.enum(['yes', 'no']),
});

const metrics: readonly Metric[] = [
  shareMetric('accuracy', 'accuracy', 'share of questions answered rightly', 'high', true),
  shareMetric('f1', 'F1', 'harmonic mean of precision and recall, yes being the positive class', 'high', true),
  shareMetric('precision', 'precision', 'share of the yes answers that are right', 'high'),
  shareMetric('recall', 'recall', 'share of the objects there that are confirmed', 'high'),
  shareMetric('yesRatio', 'yes ratio', 'share of questions answered with yes; half of them deserve it', 'neither'),
  shareMetric('unclear', 'unclear', 'share of answers that say neither yes nor no, which count as yes', 'low'),
];

/** POPE: is there a ... in the image? Object hallucination as balanced yes/no questions (Li et al. 2023). */
export function popeTask(source: PopeSource, { suffix = '', maxTokens = 16 }: PopeOptions = {}): Task {
  return {
    name: 'pope',
    describe: 'Asks whether an object is there, half of the times one that is not',
    prompt: `{question}${suffix}`,
    maxTokens,
    groups: Object.keys(source.questions),
    metrics,
    load: (limit) => loadQuestions(source, suffix, limit),
    score: (sum) => ({ ...popeScores(sum as PopeCounts), unclear: share(sum.unclear ?? 0, sum.asked ?? 0) }),
  };
}

async function loadQuestions(source: PopeSource, suffix: string, limit?: number): Promise<readonly Item[]> {
  const find = openImages(source);
  const splits = await Promise.all(
    Object.entries(source.questions).map(async ([split, path]) => {
      const rows = collect(
        (await readJsonLines(path, question)).map(({ value, where }) => {
          const image = find(value.image, where);
          return typeof image === 'string' ? { ok: { ...value, image } } : { faults: [image] };
        }),
      );
      return rows.map(({ question_id, image, text, label }, i) => ({
        id: `${split}/${i + 1}/${question_id}`,
        image,
        prompt: text + suffix,
        truth: label,
        judge: ({ text }: Answer) => judge(text, label, split),
      }));
    }),
  );
  return firstImages(splits.flat(), (item) => item.image, limit);
}

function judge(answer: string, label: YesNo, split: string): Verdict {
  const read = parseYesNo(answer);
  const tally: Tally = { ...popeCounts(read, label), asked: 1, unclear: Number(isUnclear(answer)) };
  return { correct: read === label, read, tallies: { [split]: tally }, invented: [] };
}
