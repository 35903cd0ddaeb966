import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Comparison } from '../../eval/index.ts';
import type { RunSummary } from '../../run/index.ts';
import { comparisonText, listText } from './runs-text.ts';

beforeAll(() => void vi.stubEnv('COLUMNS', '200'));
afterAll(() => void vi.unstubAllEnvs());

const minute = 60_000;
const updated = new Date(0).toISOString();
const score = { task: 'pope', group: 'random', metric: 'accuracy', better: 'high', value: 0.75, low: 0.7, high: 0.8 };
const done = {
  ...{ folder: 'runs/a', name: 'a', status: 'done', system: 'llava', stage: 'tune', step: 40, steps: 40, loss: 1.25 },
  ...{ scores: [score], updated, seconds: 90, bytes: 3 * 2 ** 20 },
} as RunSummary;
const broken = {
  ...{ folder: 'runs/b', name: 'b', status: 'unreadable', fault: 'its log has a wrong line', scores: [], updated },
  ...{ seconds: 0, bytes: 0 },
} as RunSummary;

it('lists runs under what their scores are, and says what is wrong with those it cannot read', () => {
  const [head, , first, second, fault] = listText([done, broken], 5 * minute).split('\n');
  expect(head).toMatch(/run +system +status +stage +step +loss +held out +pope random accuracy ↑ +training +size +age/);
  expect(first).toMatch(/^runs\/a +llava +done +tune +40\/40 +1\.250? +0\.750 +\S.* +3\.0 MiB +5 min$/);
  expect(second).toMatch(/^runs\/b +unreadable /);
  expect(fault).toBe('runs/b: its log has a wrong line');
});

it('names a score by its task once', () => {
  const chair = { ...score, task: 'chair', group: 'all', metric: 'CHAIRs', better: 'low' } as const;
  expect(listText([{ ...done, scores: [chair] } as RunSummary], 0)).toMatch(/held out +CHAIRs ↓ +training/);
});

it('draws the losses of compared runs, with a gap where nothing was held out', () => {
  const metric = { label: 'accuracy', unit: 'share', better: 'high' };
  const estimates = [{ value: 0.75, low: 0.7, high: 0.8 }, null];
  const loss = [4, 2, 1].map((y, i) => ({ x: 10 * i, y }));
  const text = comparisonText({
    runs: [{ name: 'a' }, { name: 'b' }],
    settings: [{ key: 'stages.tune.train.batch', values: ['4', null] }],
    scores: [{ task: 'pope', group: 'random', metric, estimates }],
    curves: [
      {
        stage: 'tune',
        runs: [
          { loss, heldOut: [{ x: 20, y: 1.5 }] },
          { loss, heldOut: [] },
        ],
      },
    ],
  } as unknown as Comparison);
  expect(text).toMatch(/stages\.tune\.train\.batch +4 +–/);
  expect(text).toMatch(/pope +random +accuracy +0\.750 \(0\.700 … 0\.800\) +–/);
  expect(text).toMatch(/^a +\S+ +4\S* +1\S* +1\.5\S* +20$/m);
  expect(text).toMatch(/^b +\S+ +4\S* +1\S* +20$/m);
});
