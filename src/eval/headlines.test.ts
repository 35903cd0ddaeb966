import { expect, it } from 'vitest';
import { headlines, keyScores } from './headlines.ts';
import type { Evaluation } from './results.ts';

const metric = (name: string, headline: boolean) => ({ name, headline });
const score = (value: number) => ({ sighted: { value, low: null, high: null } });

const evaluation = {
  tasks: [
    {
      task: 'pope',
      metrics: [metric('unclear', false), metric('accuracy', true), metric('f1', true)],
      groups: { random: { unclear: score(0), accuracy: score(0.1), f1: score(0.2) }, popular: { f1: score(0.3) } },
    },
    { task: 'vqa', metrics: [metric('accuracy', true)], groups: { all: { accuracy: score(0.4) } } },
    { task: 'empty', metrics: [metric('accuracy', true)], groups: {} },
  ],
} as unknown as Evaluation;

const values = (scores: ReturnType<typeof headlines>) => scores.map(({ result }) => result.sighted.value);

it('lists headline scores by task, group and metric, and passes over what was not measured', () => {
  expect(values(headlines(evaluation))).toEqual([0.1, 0.2, 0.3, 0.4]);
});

it('lets the first of them stand for a task', () => {
  expect(values(keyScores(evaluation))).toEqual([0.1, 0.4]);
});
