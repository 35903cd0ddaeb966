import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { formatFault } from '../../base/index.ts';
import { DataReport } from '../report.ts';
import { readRows } from './read.ts';
import type { ImagedVqaFiles } from './vqa.ts';
import { vqaItems, vqaRow } from './vqa.ts';

const folder = scratchFolder();
const images = folder.path('pictures');
for (const name of ['COCO_val2014_000000000042.jpg', '42.png', 'own.png']) folder.write(`pictures/${name}`, name);

const votes = (...answers: string[]) =>
  answers.map((answer, i) => ({ answer, answer_confidence: 'yes', answer_id: i + 1 }));
const ten = votes(...Array<string>(7).fill('red'), 'dark red', 'pink', 'red');

const questions = {
  data_subtype: 'val2014',
  questions: [{ question_id: 420, image_id: 42, question: 'What colour is it?' }],
};
const annotations = {
  annotations: [
    { question_id: 420, image_id: 42, answers: ten, multiple_choice_answer: 'red', answer_type: 'other' },
    { question_id: 999, image_id: 7, answers: votes('x') },
  ],
};

function files(asked: unknown = questions, told: unknown = annotations): ImagedVqaFiles {
  return { questions: folder.write('q.json', asked), annotations: folder.write('a.json', told), images };
}

function readVqa(asked: ImagedVqaFiles) {
  const report = new DataReport();
  return { items: report.collect(asked.questions, 'vqa', vqaItems(asked)), report };
}

describe('VQA', () => {
  it('joins questions with their answers', () => {
    const { items, report } = readVqa(files());
    expect(items).toEqual([
      {
        id: '420',
        where: 'q.json question 1',
        image: { kind: 'image', path: folder.path('pictures/COCO_val2014_000000000042.jpg') },
        question: 'What colour is it?',
        answers: ten.map(({ answer }) => answer),
        answer: 'red',
        answerType: 'other',
      },
    ]);
    expect(report.toJSON()).toMatchObject({ kept: 1, rejected: 0 });
  });

  it('makes rows to learn from', () => {
    const [item] = readVqa(files()).items;
    const options = { images, settings: { annotations: files().annotations, suffix: '\nOne word.' } };
    const { rows, format } = readRows(files().questions, options);
    expect(format).toBe('vqa');
    expect(rows).toEqual([vqaRow(item as NonNullable<typeof item>, '\nOne word.')]);
    expect(rows[0]?.turns[0]?.parts[1]).toEqual({ type: 'text', text: 'What colour is it?\nOne word.' });
    expect(rows[0]?.turns[1]?.parts).toEqual([{ type: 'text', text: 'red' }]);
    expect(() => readRows(files().questions, { images })).toThrow('without their answers');
  });

  it('names images by a pattern, or by the question itself', () => {
    const [item] = readVqa({ ...files({ questions: questions.questions }), imageName: '{id}.png' }).items;
    expect(item?.image.path).toBe(folder.path('pictures/42.png'));
    const own = { questions: [{ ...questions.questions[0], image: 'own.png' }] };
    expect(readVqa(files(own)).items[0]?.image.path).toBe(folder.path('pictures/own.png'));
  });

  it('takes the most frequent answer when none is named', () => {
    const told = { annotations: [{ question_id: 420, answers: votes('b', 'a', 'c', 'a', 'b') }] };
    expect(readVqa(files(questions, told)).items[0]?.answer).toBe('b');
  });

  it('refuses questions that cannot be joined', () => {
    const asked = {
      data_subtype: 'val2014',
      questions: [
        { question_id: 1, image_id: 42, question: 'Why?' },
        { question_id: 420, image_id: 43, question: 'Why?' },
        { question_id: 420, image_id: 42, question: '' },
        { question_id: 420, image_id: 42, questions: 'Why?' },
      ],
    };
    const { items, report } = readVqa(files(asked));
    expect(items).toEqual([]);
    expect(report.reasons.flatMap((r) => r.examples.map(formatFault)).join('\n')).toMatchInlineSnapshot(`
      "the question has no annotation [row/no-answer]
        path:     q.json question 1
        got:      question_id 1
      the question and its annotation are about two images [row/answer-image]
        path:     q.json question 2
        got:      image_id 43, annotated 42
      the question is empty [row/empty-turn]
        path:     q.json question 3
        got:      ""
      question is missing [row/schema]
        path:     q.json question 4
        expected: string
        remedy:   did you mean questions as question?"
    `);
  });

  it('refuses what it does not read of questions, annotations and answers, and knows what VQA itself writes', () => {
    const [asked, told] = [questions.questions[0], annotations.annotations[0]];
    const codes = (onQuestion: object, onAnnotation: object = {}) =>
      readVqa(
        files(
          { ...questions, questions: [{ ...asked, ...onQuestion }] },
          { annotations: [{ ...told, ...onAnnotation }] },
        ),
      ).report.reasons.map(({ code }) => code);
    expect(codes({}, { question_type: 'what colour' })).toEqual([]);
    for (const more of [{ img: 'b.png' }, { bbox: [1, 2, 3, 4] }, { weight: 0 }, { label: 'no' }]) {
      expect(codes(more)).toEqual(['row/unread']);
      expect(codes({}, more)).toEqual(['row/unread']);
      expect(codes({}, { answers: [{ ...ten[0], ...more }] })).toEqual(['row/unread']);
    }
  });

  it('refuses files that contradict themselves', () => {
    const doubled = { annotations: [annotations.annotations[0], annotations.annotations[0]] };
    expect(() => readVqa(files(questions, doubled))).toThrow('two annotations answer one question');
    expect(readVqa(files({ questions: questions.questions })).report.reasons[0]?.code).toBe('data/image-name');
    expect(() => readVqa(files([]))).toThrow('holds no questions');
  });
});
