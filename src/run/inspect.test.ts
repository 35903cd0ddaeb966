import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { parsePlan } from '../recipe/index.ts';
import { inspectRows } from './inspect.ts';

const folder = scratchFolder();
const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };

function inspect(rows: readonly unknown[], count = 3) {
  const path = folder.write('rows.json', rows);
  const stage = {
    name: 'text',
    objective: 'lm',
    trainable: ['**'],
    template: 'text',
    data: [{ source: 'files', path }],
  };
  const model = { architecture: 'llama', size: 'tiny', vocab_size: 300 };
  const train = { steps: 1, lr: 0.001, max_length: 200 };
  const plan = parsePlan(stringify({ system: 'tabletop-lm', model, stages: [stage], train }), 'x.yaml');
  return inspectRows(plan, { rows: count, colour: false }, hooks);
}

const long = { text: 'a ball and a cube '.repeat(400) };

it('shows the rows that are left, and tells of those refused by the file and by the tokens', async () => {
  const { shown, report } = await inspect([{ text: ' ' }, long, { text: 'a red ball' }, { text: 'a cube' }], 1);
  expect(shown.map(({ text }) => text.split('\n')[0])).toEqual(['rows.json row 3  (rows.json row 3)']);
  expect(report.reasons.map(({ code, examples }) => [code, examples[0]?.path])).toEqual([
    ['row/empty-turn', 'rows.json row 1'],
    ['row/too-long', 'rows.json row 2'],
  ]);
});

it('is a fault, with every reason, when no row is left', async () => {
  await expect(inspect([{ text: ' ' }, long])).rejects.toMatchObject({
    code: 'data/no-rows',
    others: [{ code: 'row/empty-turn' }, { code: 'row/too-long' }],
  });
});
