import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { type Named, TesseraError } from '../../base/index.ts';
import type { ImageMedia, Outcome, Row, Sample } from '../row.ts';
import { alone, type Format } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageFolder } from './image-folder.ts';
import { jsonItems, sectionItems } from './json-stream.ts';
import { attempt, checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

/** A question about an image with the answers people gave, ten in VQA v2. */
export interface VqaQuestion {
  readonly id: string;
  readonly where: string;
  /** The data set's own number of the image. */
  readonly imageId: string;
  /** The name of its file, where the question has one. */
  readonly imageName: string | undefined;
  readonly question: string;
  /** One for each person asked; accuracy counts how many agree. */
  readonly answers: readonly string[];
  /** The answer to learn: `multiple_choice_answer`, the most frequent one. */
  readonly answer: string;
  /** `yes/no`, `number` or `other` in VQA v2. */
  readonly answerType: string | undefined;
}

/** A question with its image found. */
export interface VqaItem extends Omit<VqaQuestion, 'imageId' | 'imageName'> {
  readonly image: ImageMedia;
}

export interface VqaFiles {
  /** The questions file, `{data_subtype, questions: [{question_id, image_id, question}]}`. */
  readonly questions: string;
  /** The annotations file, `{annotations: [{question_id, image_id, answers, answer_type, multiple_choice_answer}]}`. */
  readonly annotations: string;
}

export interface ImagedVqaFiles extends VqaFiles {
  /** Folder of the images; the questions file's own when absent. */
  readonly images?: string;
  /**
   * How the images are named: `{id}` is the image id, `{id:12}` the same padded with zeros, `{subset}` the file's
   * `data_subtype`. A question's own `image` goes before. Default: `COCO_{subset}_{id:12}.jpg`.
   */
  readonly imageName?: string | undefined;
}

const key = z.union([z.string(), z.number()]);
const question = z.object({ question_id: key, image_id: key, question: z.string(), image: z.string().nullish() });
const annotation = z.object({
  question_id: key,
  image_id: key.nullish(),
  answer_type: z.string().nullish(),
  multiple_choice_answer: z.string().nullish(),
  answers: z.array(z.looseObject({ answer: z.string() })).min(1),
});

/** What VQA files hold beside what is read, known to say nothing about what is learned. */
const known = { annotation: ['question_type'], answer: ['answer', 'answer_confidence', 'answer_id', 'raw_answer'] };

type Annotation = z.infer<typeof annotation>;

/**
 * VQA questions with their answers, one by one. The rows are the questions: an annotation of another question is no row
 * of this set.
 *
 * @throws TesseraError `data/file`, `data/syntax`, `data/no-section`, `data/duplicate-answer`
 */
export function* vqaQuestions(source: VqaFiles): Generator<Outcome<VqaQuestion>> {
  const answers = annotationsByQuestion(source.annotations);
  const name = basename(source.questions);
  for (const { index, value } of sectionItems(source.questions, 'questions')) {
    yield attempt(() => questionOf(value, `${name} question ${index + 1}`, answers));
  }
}

/**
 * VQA questions with their answers and images, one by one.
 * @throws TesseraError as `vqaQuestions`, and `data/image-name`
 */
export function* vqaItems(
  files: ImagedVqaFiles,
  folder = imageFolder(files.images ?? dirname(files.questions)),
): Generator<Outcome<VqaItem>> {
  const nameOf = imageNamer(files);
  for (const outcome of vqaQuestions(files)) {
    yield 'refused' in outcome ? outcome : attempt(() => withImage(outcome.kept, nameOf, folder));
  }
}

function withImage(question: VqaQuestion, nameOf: (id: string) => string, folder: ImageFolder): VqaItem {
  const { imageId, imageName, ...item } = question;
  return { ...item, image: folder.find(imageName ?? nameOf(imageId), item.where) };
}

function annotationsByQuestion(path: string): Map<string, Outcome<Annotation>> {
  const found = new Map<string, Outcome<Annotation>>();
  for (const { index, value } of sectionItems(path, 'annotations')) {
    const where = `${basename(path)} annotation ${index + 1}`;
    const one = checked(annotation, value, where);
    if (found.has(String(one.question_id))) {
      throw new TesseraError({
        code: 'data/duplicate-answer',
        message: 'two annotations answer one question',
        path: where,
        got: `question_id ${one.question_id}`,
      });
    }
    const seen = attempt(() => refuseUnseenAnswers(one, value, where));
    found.set(String(one.question_id), 'refused' in seen ? seen : { kept: one });
  }
  return found;
}

function refuseUnseenAnswers(read: Annotation, value: unknown, where: string): void {
  refuseUnseen(value, where, [...Object.keys(annotation.shape), ...known.annotation]);
  for (const answer of read.answers) refuseUnseen(answer, where, known.answer);
}

function imageNamer(files: ImagedVqaFiles): (id: string) => string {
  const pattern = files.imageName ?? 'COCO_{subset}_{id:12}.jpg';
  let subset: string | undefined;
  for (const { section, index, value } of jsonItems(files.questions, () => false)) {
    if (section === 'data_subtype' && index === undefined && typeof value === 'string') subset = value;
  }
  return (id) =>
    pattern.replace(/\{(subset|id)(?::(\d+))?\}/g, (_, field: string, width?: string) => {
      if (field === 'id') return id.padStart(Number(width ?? 0), '0');
      if (subset !== undefined) return subset;
      throw new TesseraError({
        code: 'data/image-name',
        message: 'the image of a question cannot be named',
        path: files.questions,
        expected: `data_subtype in the file, for ${pattern}`,
        remedy: 'say how the images are named, such as {id}.jpg',
      });
    });
}

function questionOf(value: unknown, where: string, answers: ReadonlyMap<string, Outcome<Annotation>>): VqaQuestion {
  const asked = checked(question, value, where);
  refuseUnseen(value, where, Object.keys(question.shape), asked.image == null ? [] : [asked.image]);
  const found = answers.get(String(asked.question_id));
  if (!found) {
    throw refusal('row/no-answer', 'the question has no annotation', where, `question_id ${asked.question_id}`);
  }
  if ('refused' in found) throw new TesseraError(found.refused);
  const told = found.kept;
  if (told.image_id != null && String(told.image_id) !== String(asked.image_id)) {
    const got = `image_id ${asked.image_id}, annotated ${told.image_id}`;
    throw refusal('row/answer-image', 'the question and its annotation are about two images', where, got);
  }
  if (asked.question.trim() === '') throw refusal('row/empty-turn', 'the question is empty', where, '""');
  const given = told.answers.map(({ answer }) => answer);
  return {
    id: String(asked.question_id),
    where,
    imageId: String(asked.image_id),
    imageName: asked.image ?? undefined,
    question: asked.question,
    answers: given,
    answer: told.multiple_choice_answer ?? mostFrequent(given),
    answerType: told.answer_type ?? undefined,
  };
}

function refusal(code: string, message: string, path: string, got: string): TesseraError {
  return new TesseraError({ code, message, path, got });
}

/** The answer most people gave; among equals the one given first. */
function mostFrequent(answers: readonly string[]): string {
  const votes = new Map<string, number>();
  for (const answer of answers) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  return [...votes].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

/**
 * A question as a row to learn from.
 * @param suffix appended to the question; LLaVA-1.5 uses `\nAnswer the question using a single word or phrase.`
 */
export function vqaRow(item: VqaItem, suffix = ''): Row {
  return {
    id: item.id,
    where: item.where,
    media: [item.image],
    turns: [
      {
        role: 'user',
        parts: [
          { type: 'media', media: 0 },
          { type: 'text', text: item.question + suffix },
        ],
      },
      { role: 'assistant', parts: [{ type: 'text', text: item.answer }] },
    ],
  };
}

function* vqaSamples(path: string, folder: ImageFolder, settings: Named<string>): Generator<Outcome<Sample>> {
  const { annotations, image_name: imageName, suffix } = settings;
  if (annotations === undefined) {
    throw new TesseraError({
      code: 'data/no-annotations',
      message: 'VQA questions come without their answers',
      path,
      expected: 'the path of an annotations file',
      remedy: 'set annotations to the file that holds the answers',
    });
  }
  for (const item of vqaItems({ questions: path, annotations, imageName }, folder)) {
    yield 'refused' in item ? item : { kept: alone(vqaRow(item.kept, suffix)) };
  }
}

export const vqaFormat = {
  looks: 'an object {questions: [{question_id, image_id, question}]}',
  known: { section: (section) => section === 'questions' },
  options: {
    annotations: { describe: 'the file with the answers', value: 'file' },
    image_name: { describe: 'how an image is named', value: 'text' },
    suffix: { describe: 'text that follows every question, such as how short the answer is to be', value: 'text' },
  },
  samples: vqaSamples,
} satisfies Format;
