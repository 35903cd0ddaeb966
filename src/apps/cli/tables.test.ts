import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { builtCommand } from '../../../test/support/built-command.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { Comparison, Evaluation } from '../../eval/index.ts';
import { formatScores } from '../../eval/index.ts';
import { loadPlan } from '../../recipe/index.ts';
import type { RunSummary } from '../../run/index.ts';
import { planText, timeText } from './plan-text.ts';
import { comparisonText, listText } from './runs-text.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const { fresh } = scratchFolder();
const tooWide = (text: string) => text.split('\n').filter((line) => line.length > 80);

function tessera(...args: string[]): Promise<string> {
  const { COLUMNS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [builtCommand, ...args], { cwd: root, env }, (_error, out) => resolve(out));
  });
}

/** An evaluation whose every column is there, as `eval` prints it. */
const result = (value: number) => {
  const estimate = { value, low: value - 0.1, high: value + 0.1 };
  return { sighted: estimate, blind: estimate, difference: estimate, against: estimate, change: estimate };
};
const metric = {
  name: 'recall_at_10',
  label: 'images R@10',
  describe: '',
  unit: 'share',
  better: 'high',
  headline: true,
};
const evaluation = {
  model: 'runs/llava-1.5',
  date: '2026-11-28',
  against: { model: 'runs/llava-1.5-preference-of-mine', folder: 'runs/other', date: '2026-11-27' },
  tasks: [
    {
      task: 'retrieval',
      flips: { better: 12, worse: 5, questions: 900, p: 0.14 },
      metrics: [metric],
      groups: { compositional: { recall_at_10: result(0.5) } },
    },
  ],
} as unknown as Evaluation;

describe('what verbs print in columns', () => {
  it.each([['recipes'], ['recipes', 'options'], ['doctor'], ['recipes', 'copy', 'llava', 'nowhere']])(
    'fits 80 columns in a pipe: %s %s',
    async (...words) => {
      const [verb, ...rest] = words.map((word) => (word === 'nowhere' ? fresh() : word));
      const out = await tessera(verb as string, ...rest);
      expect(out.length).toBeGreaterThan(20);
      expect(tooWide(out).filter((line) => !line.includes('tessera-test'))).toEqual([]);
    },
  );

  it('fits for the rows of a file, kept and refused', async () => {
    const file = join(fresh(), 'rows.json');
    const talk = (answer: string) => [
      { from: 'human', value: 'Q' },
      { from: 'gpt', value: answer },
    ];
    writeFileSync(
      file,
      JSON.stringify([
        { id: 1, conversations: talk('A') },
        { id: 2, image: 'none.png', conversations: talk('B') },
      ]),
    );
    const read = ['--model', 'assets/backbones/tabletop-lm', '--template', 'plain'];
    // A file, and the folder that holds it, are data for both verbs.
    for (const data of [file, dirname(file)]) {
      expect(await tessera('data', 'report', data, ...read)).toMatch(
        /^source +rows +what became of them[\s\S]*1 +kept/,
      );
      expect(await tessera('data', 'inspect', data, ...read)).toMatch(/refused:\n[\s\S]*row\/image-missing/);
    }
  });

  it('fits for runs, plans, comparisons and evaluations against another', () => {
    const score = { task: 'pope', group: 'adversarial', metric: 'accuracy', value: 0.91, better: 'high' };
    const run = {
      folder: 'runs/llava-1.5-preference-of-mine',
      system: 'llava-1.5-preference',
      status: 'interrupted',
      stage: 'instruct',
      step: 1200,
      steps: 100_000,
      loss: 1.2345,
      heldOutLoss: 2.3456,
      scores: [score, { ...score, task: 'vqa' }, { ...score, task: 'chair' }],
      seconds: 40_000,
      bytes: 2 ** 30,
      updated: new Date(0).toISOString(),
    } as unknown as RunSummary;
    expect(tooWide(listText([run], 1e9))).toEqual([]);
    for (const name of ['llava', 'llava-1.5', 'flamingo']) expect(tooWide(planText(loadPlan(name)))).toEqual([]);
    const time = { steps: 1000, perStep: 3.7, timed: 1, bound: 'about' } as const;
    expect(tooWide(timeText({ time } as never))).toEqual([]);
    const names = ['runs/one-with-a-long-name', 'runs/two-with-a-long-name', 'runs/three-with-a-long-name'];
    const comparison = {
      runs: names.map((name) => ({ name })),
      settings: [{ key: 'train.lr', values: ['1e-4', '2e-4', undefined] }],
      scores: [
        { task: 'pope', group: 'random', metric, estimates: names.map(() => ({ value: 0.5, low: 0.4, high: 0.6 })) },
      ],
      curves: [
        {
          stage: 'tune',
          runs: names.map(() => ({
            loss: [
              { x: 1, y: 3 },
              { x: 900, y: 2 },
            ],
            heldOut: [{ x: 9, y: 2 }],
          })),
        },
      ],
    } as unknown as Comparison;
    expect(tooWide(comparisonText(comparison))).toEqual([]);
    vi.stubEnv('COLUMNS', '120');
    expect(tooWide(listText([run], 1e9))).not.toEqual([]);
    vi.unstubAllEnvs();
  });

  it('fits for an evaluation against another', () => {
    const text = formatScores(evaluation, { all: true });
    expect(text).toMatch(/^task +group +metric +against +change +95% interval$/m);
    expect(text).toMatch(/^retrieval +compositional +images R@10 ↑ +0\.500 +\+0\.500 +0\.400 … 0\.600$/m);
    expect(tooWide(text)).toEqual([]);
  });
});
