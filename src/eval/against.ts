import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { asTesseraError, TesseraError } from '../base/index.ts';
import type { Answer } from '../data/index.ts';
import { parseJson, readText } from '../files/index.ts';
import type { Evaluation, EvaluationSettings, ItemRecord } from './results.ts';
import { readJsonLines } from './tasks/rows.ts';
import type { Item, Task } from './tasks/task.ts';

/** What another model answered, as an evaluation of it has left it in a folder. */
export interface Recorded {
  readonly evaluated: NonNullable<Evaluation['against']>;
  readonly settings: EvaluationSettings;
  /** By task and question. */
  readonly records: ReadonlyMap<string, AnswerRecord>;
}

/** What of a record says which question was asked, and what came back. */
type AnswerRecord = Pick<ItemRecord, 'task' | 'run' | 'id' | 'prompt' | 'truth' | 'answer' | 'boxes'>;

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const answerRecord: z.ZodType<AnswerRecord> = z.object({
  task: z.string(),
  run: z.enum(['sighted', 'blind']),
  id: z.string(),
  prompt: z.string(),
  truth: z.string(),
  answer: z.string(),
  boxes: z.array(box).exactOptional(),
});
const asked = z.object({
  tasks: z.array(z.string()),
  limit: z.int().positive().exactOptional(),
  blind: z.boolean(),
  data: z.string().exactOptional(),
  quantize: z.string().exactOptional(),
});
const evaluated = z.object({ model: z.string(), date: z.string(), settings: asked });

const keyOf = (task: string, id: string) => JSON.stringify([task, id]);

/** Whether a folder is one that `tessera eval` takes. */
const isModel = (folder: string) => ['config.json', 'recipe.yaml'].some((name) => existsSync(join(folder, name)));

/**
 * Reads what an evaluation left: `eval.json` and `predictions.jsonl`.
 * @throws TesseraError `eval/not-evaluated` for a folder without them, `eval/against` for files that are none of tessera's
 */
export async function readRecorded(folder: string): Promise<Recorded> {
  const [scores, answers] = [join(folder, 'eval.json'), join(folder, 'predictions.jsonl')];
  if (!existsSync(scores) || !existsSync(answers)) {
    throw new TesseraError({
      code: 'eval/not-evaluated',
      message: 'there are no answers to compare with',
      path: folder,
      expected: 'eval.json and predictions.jsonl, as `tessera eval` leaves them',
      remedy: isModel(folder)
        ? `run \`tessera eval ${folder}\` first, and name the folder of its results`
        : 'name a run folder that was evaluated, or the folder that `tessera eval` wrote its results to',
    });
  }
  const evaluation = evaluated.safeParse(
    parseJson(readText(scores, { code: 'eval/against' }), { file: scores, area: 'eval' }),
  );
  if (!evaluation.success) {
    throw asTesseraError(evaluation.error, {
      code: 'eval/against',
      path: scores,
      expected: 'the results of an evaluation that say what was asked',
      remedy: `evaluate once more: \`tessera eval ${folder}\``,
    });
  }
  const records = (await readJsonLines(answers, answerRecord)).map(({ value }) => value);
  const seeing = records.filter(({ run }) => run === 'sighted');
  const { model, date, settings } = evaluation.data;
  return {
    evaluated: { model, date, folder },
    settings,
    records: new Map(seeing.map((one) => [keyOf(one.task, one.id), one])),
  };
}

/**
 * The recorded answers to the items of a task. A question is the same where its id, its words and its truth are.
 * @throws TesseraError `eval/unpaired` where questions differ
 */
export function recordedAnswers(
  { evaluated: { folder }, records }: Recorded,
  task: Task,
  items: readonly Item[],
): Map<Item, Answer> {
  const found = new Map<Item, Answer>();
  for (const item of items) {
    const record = records.get(keyOf(task.name, item.id));
    if (record?.prompt !== item.prompt || record.truth !== item.truth) continue;
    found.set(item, { text: record.answer, ...(record.boxes && { boxes: record.boxes }) });
  }
  if (found.size === items.length) return found;
  throw new TesseraError({
    code: 'eval/unpaired',
    message: 'the other model was not asked the same questions',
    path: `${folder}, ${task.name}`,
    expected: `an answer to each of ${items.length} questions`,
    got: `answers to ${found.size}`,
    remedy: 'evaluate it once more with the same --tasks, --limit and --data',
  });
}
