import { expect, it } from 'vitest';
import { TesseraError } from '../base/index.ts';
import { judgeInWords } from '../feedback/index.ts';
import type { Question, Responded, Responder } from '../generate/index.ts';
import { modelInWords } from './feedback-model.ts';

const signal = new AbortController().signal;

/** A model that has room for so many characters. */
function speaking(room: number, reply: (question: Question) => Responded): Responder & { readonly calls: number[] } {
  const calls: number[] = [];
  return {
    name: 'model',
    calls,
    async answer(questions) {
      calls.push(questions.length);
      const long = questions.find(({ prompt }) => prompt.length > room);
      if (long) throw new TesseraError({ code: 'generate/too-long', message: 'too long' });
      return questions.map(reply);
    },
    close: async () => {},
  };
}

const item = (id: string, answer: string) => ({ id, image: 'a.png', question: 'What is there?', answer });

it('reads the corrections that a model writes, with the task in front of the question', async () => {
  const prompts: string[] = [];
  const model = speaking(1e6, ({ prompt }) => {
    prompts.push(prompt);
    const cut = prompt.includes('cup');
    return { text: '{"corrections": [{"wrong": "red", "right": "blue"}]}', finish: cut ? 'length' : 'stop' };
  });
  const judge = judgeInWords(modelInWords(model, 50));
  const found = await judge.correct([item('1', 'a red ball'), item('2', 'a red cup'), item('3', 'a cone')], signal);
  expect(found).toMatchObject([
    { kept: [{ start: 2, end: 5, text: 'blue' }] },
    { refused: { code: 'feedback/reply-cut', path: '2' } },
    { refused: { code: 'feedback/reply', path: '3' } },
  ]);
  expect(prompts[0]).toMatch(/^You correct an answer[\s\S]*Question: What is there\?\n\nAnswer: a red ball$/);
});

it('refuses what is too long for the model, and asks the rest', async () => {
  const model = speaking(2000, () => ({ text: '{"corrections": []}', finish: 'stop' }));
  const judge = judgeInWords(modelInWords(model, 50));
  const found = await judge.correct([item('1', 'a ball'), item('2', 'x'.repeat(3000)), item('3', 'a cup')], signal);
  expect(found).toMatchObject([{ kept: [] }, { refused: { code: 'generate/too-long', path: '2' } }, { kept: [] }]);
  expect(model.calls).toEqual([3, 1, 1, 1]);
});
