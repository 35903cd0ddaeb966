import { afterAll, expect, it } from 'vitest';
import { writeKind } from '../../test/exact/kinds.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { loadPlan, type StagePlan } from '../recipe/index.ts';
import { openEngine } from '../runtime/index.ts';
import { buildParts } from './parts.ts';
import { prepareStage } from './prepare.ts';
import { stageData } from './rows.ts';

const before = process.env.TESSERA_CACHE;
const root = scratchFolder().fresh();
process.env.TESSERA_CACHE = root;
afterAll(() => {
  if (before === undefined) delete process.env.TESSERA_CACHE;
  else process.env.TESSERA_CACHE = before;
});

it('refuses every pattern that selects nothing, of what is trained and of rates', async () => {
  const plan = loadPlan(await writeKind(root, 'contrastive', { steps: 1, threads: 1 }));
  const stage = plan.stages[0] as StagePlan;
  const parts = await buildParts(plan, async () => []);
  const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
  const data = await stageData(stage, parts, hooks);
  const engine = await openEngine({ threads: 1 });
  const prepared = (trainable: readonly string[], pattern: string) => () =>
    prepareStage(
      engine,
      { ...stage, trainable, train: { ...stage.train, lrFor: [{ pattern, lr: 1 }] } },
      0,
      parts,
      data,
    );
  expect(prepared(['**', '!nosuch.**'], 'visual_projection.**')).not.toThrow();
  expect(prepared(['visual_projection.**', 'visual_projektion.**'], 'nosuch.**')).toThrow(
    expect.objectContaining({
      code: 'train/no-such-parameter',
      path: `stages.${stage.name}.trainable`,
      got: 'visual_projektion.**',
      expected: expect.stringContaining('visual_projection.**'),
      others: [expect.objectContaining({ path: `stages.${stage.name}.train.lr_for`, got: 'nosuch.**' })],
    }),
  );
});
