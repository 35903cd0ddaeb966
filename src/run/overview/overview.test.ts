import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TesseraError } from '../../base/index.ts';
import { DataReport } from '../../data/index.ts';
import { type Evaluation, writeComparison } from '../../eval/index.ts';
import { formatRecipe, parsePlan } from '../../recipe/index.ts';
import { saveCheckpoint } from '../checkpoints.ts';
import { claimRun } from '../claim.ts';
import { runFolder, saveFault } from '../folder.ts';
import { compareRuns } from './compare.ts';
import { listRuns } from './list.ts';

const root = mkdtempSync(join(tmpdir(), 'tessera-runs-'));
afterAll(() => rmSync(root, { recursive: true }));

const recipe = `
system: tabletop-lm
model: { architecture: llama, size: tiny, vocab_size: 300 }
stages:
  - name: text
    objective: lm
    trainable: ['**']
    data: [{ source: tabletop, task: corpus, scenes: 10 }]
    train: { steps: 40, lr: 1e-3 }
`;

/** A run folder as training leaves it, up to a step. */
function writeRun(name: string, step: number, overrides: readonly string[] = [], accuracy?: number): string {
  const folder = join(root, name);
  mkdirSync(join(folder, 'checkpoints'), { recursive: true });
  writeFileSync(
    join(folder, 'recipe.yaml'),
    `# ${name}\n${formatRecipe(parsePlan(recipe, 'r.yaml', overrides).resolved)}`,
  );
  const rows = Array.from({ length: step / 10 }, (_, i) => ({ stage: 'text', step: 10 * (i + 1), loss: 4 / (i + 1) }));
  const lines = [...rows, { stage: 'text', step, held_out_loss: 1.5 }].map((row) => `${JSON.stringify(row)}\n`);
  writeFileSync(join(folder, 'metrics.jsonl'), lines.join(''));
  if (accuracy !== undefined) writeFileSync(join(folder, 'eval.json'), JSON.stringify(evaluation(accuracy)));
  return folder;
}

function evaluation(value: number): Evaluation {
  const metric = { name: 'accuracy', label: 'accuracy', describe: '', unit: 'share', better: 'high', headline: true };
  const groups = { random: { accuracy: { sighted: { value, low: value - 0.1, high: value + 0.1 } } } };
  return { tasks: [{ task: 'pope', metrics: [metric], groups }] } as unknown as Evaluation;
}

const done = writeRun('done', 40, ['train.batch=4'], 0.75);
writeFileSync(
  join(done, 'result.json'),
  JSON.stringify({ status: 'done', stages: [{ name: 'text', steps: 40, seconds: 90, loss: 1 }], seconds: 95 }),
);
const stopped = writeRun('stopped', 20, ['train.batch=8', 'stages.text.train.clip=0.5']);

describe('the list of runs', () => {
  it('tells of a run that was saved behind its last line of metrics, and which file cannot be read', () => {
    const saved = writeRun('saved', 10);
    const [moments, tensors] = [{ first: new Float32Array(1), second: new Float32Array(1) }, new Map()];
    const position = { stage: 0, step: 36, loss: 0.5, seconds: 3, metricsBytes: 0, samplesBytes: 0, finished: [] };
    const store = { tensors } as unknown as Parameters<typeof saveCheckpoint>[1];
    const report = new DataReport().toJSON();
    saveCheckpoint(join(saved, 'checkpoints'), store, { step: 36, moments }, { ...position, report });
    expect(listRuns([saved])).toMatchObject([{ step: 36, steps: 40, loss: 0.5 }]);
    const torn = writeRun('torn', 10);
    writeFileSync(join(torn, 'eval.json'), '{');
    expect(listRuns([torn])).toMatchObject([{ status: 'unreadable', fault: expect.stringContaining('eval.json') }]);
    rmSync(saved, { recursive: true });
    rmSync(torn, { recursive: true });
  });

  it('tells how far each is and what it reached, the latest first, and passes over other folders', () => {
    mkdirSync(join(root, 'no-run'), { recursive: true });
    appendFileSync(join(stopped, 'metrics.jsonl'), '{"stage":"text","st');
    const runs = listRuns([root]);
    expect(runs.map(({ name }) => name)).toEqual(['stopped', 'done']);
    expect(runs[0]).toMatchObject({ status: 'interrupted', stage: 'text', step: 20, steps: 40, loss: 2, scores: [] });
    expect(runs[1]).toMatchObject({
      status: 'done',
      system: 'tabletop-lm',
      step: 40,
      loss: 1,
      heldOutLoss: 1.5,
      seconds: 90,
    });
    expect(runs[1]?.scores).toEqual([
      { task: 'pope', group: 'random', metric: 'accuracy', better: 'high', value: 0.75, low: 0.65, high: 0.85 },
    ]);
    expect(runs[1]?.bytes).toBeGreaterThan(500);
    expect(listRuns([done, root, done])).toHaveLength(2);
  });

  it('names a run that cannot be read beside those that can', () => {
    const broken = writeRun('broken', 20);
    appendFileSync(join(broken, 'metrics.jsonl'), 'no row\n');
    const found = listRuns([root]).find(({ name }) => name === 'broken');
    expect(found).toMatchObject({ status: 'unreadable', fault: expect.stringContaining('none of its own') });
    rmSync(broken, { recursive: true });
  });

  it('says which folder is not there', () => {
    expect(() => listRuns([join(root, 'nowhere')])).toThrow(expect.objectContaining({ code: 'run/no-folder' }));
  });
});

describe('a run folder in use', () => {
  const run = runFolder(stopped);
  const claimOf = (process: number, host = hostname()) => writeFileSync(run.claim, JSON.stringify({ process, host }));

  it('counts as running until it is given back, and is lent once', () => {
    const release = claimRun(run);
    expect(listRuns([stopped])[0]?.status).toBe('running');
    release();
    expect(listRuns([stopped])[0]?.status).toBe('interrupted');
    claimOf(process.ppid);
    expect(() => claimRun(run)).toThrow(expect.objectContaining({ code: 'run/in-use' }));
    expect(listRuns([stopped])[0]?.status).toBe('running');
  });

  it('is free when its process is gone', () => {
    claimOf(2 ** 30);
    expect(listRuns([stopped])[0]?.status).toBe('interrupted');
    claimRun(run)();
    writeFileSync(run.claim, '{"proc');
    claimRun(run)();
  });

  it('has failed where a fault ended it, until it goes on', () => {
    saveFault(run, new TesseraError({ code: 'row/x', message: 'too many rows are refused', path: 'rows.json' }));
    const fault = 'too many rows are refused (rows.json)';
    expect(listRuns([stopped])).toMatchObject([{ status: 'failed', fault }]);
    const release = claimRun(run);
    expect(listRuns([stopped])[0]?.status).toBe('running');
    release();
    rmSync(run.fault);
  });

  it('is not free while another machine gives signs of life', () => {
    claimOf(1, 'elsewhere');
    expect(() => claimRun(run)).toThrow(expect.objectContaining({ got: 'process 1 on elsewhere' }));
    rmSync(run.claim);
  });
});

describe('a comparison', () => {
  it('has the settings that differ by the keys of overrides, scores with gaps, and the losses', () => {
    const { runs, settings, scores, curves } = compareRuns([done, stopped]);
    expect(runs.map(({ name, status }) => [name, status])).toEqual([
      ['done', 'done'],
      ['stopped', 'interrupted'],
    ]);
    expect(settings).toEqual([
      { key: 'stages.text.train.batch', values: ['4', '8'] },
      { key: 'stages.text.train.clip', values: ['1', '0.5'] },
    ]);
    expect(scores).toMatchObject([{ task: 'pope', group: 'random', estimates: [{ value: 0.75 }, null] }]);
    expect(curves).toMatchObject([{ stage: 'text', runs: [{ heldOut: [{ x: 40, y: 1.5 }] }, {}] }]);
    expect(curves[0]?.runs.map(({ loss }) => loss.map(({ y }) => y))).toEqual([
      [4, 2, 4 / 3, 1],
      [4, 2],
    ]);
  });

  it('has what the scores were asked with where that differs', () => {
    const scored = [undefined, 100].map((limit, i) => {
      const folder = writeRun(`scored-${i}`, 40, [], 0.5);
      const settings = { tasks: ['pope'], ...(limit && { limit }), blind: true };
      writeFileSync(join(folder, 'eval.json'), JSON.stringify({ ...evaluation(0.5), seed: 0, settings }));
      return folder;
    });
    expect(compareRuns(scored).settings).toEqual([{ key: 'eval.limit', values: ['all', '100'] }]);
    expect(compareRuns([done, ...scored]).settings).toContainEqual({
      key: 'eval.limit',
      values: [null, 'all', '100'],
    });
    for (const folder of scored) rmSync(folder, { recursive: true });
  });

  it('takes two runs or more', () => {
    expect(() => compareRuns([done])).toThrow(expect.objectContaining({ code: 'run/compare' }));
    expect(() => compareRuns([done, root])).toThrow(expect.objectContaining({ code: 'run/no-run' }));
  });

  it('becomes a page that stands alone and lets no name become markup', () => {
    const comparison = compareRuns([done, stopped]);
    const [first, second] = comparison.runs;
    const runs = [{ ...first!, name: '<script>alert(1)</script>' }, second!];
    const page = readFileSync(writeComparison(join(root, 'out', 'page.html'), { ...comparison, runs }), 'utf8');
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).not.toMatch(/<script|url\(|@import|https?:|(?:src|href)=|NaN|Infinity|undefined/);
    for (const part of ['stages.text.train.clip', '0.750', '0.650 … 0.850', 'loss (nats)', '2 of 2 runs']) {
      expect(page).toContain(part);
    }
    expect(page.match(/<polyline class="mean"/g)).toHaveLength(2);
    // On a narrow page a row is a list of all runs, each by its name.
    const score = /<td class="plot">[\s\S]*?<\/tr>/.exec(page)?.[0] ?? '';
    expect([...score.matchAll(/data-label="([^"]*)"/g)].map(([, name]) => name)).toEqual([
      '&lt;script&gt;alert(1)&lt;/script&gt;',
      'stopped',
    ]);
  });
});
