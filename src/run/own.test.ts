import { afterAll, expect, it } from 'vitest';
import { writeKind } from '../../test/exact/kinds.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { loadPlan, type StagePlan } from '../recipe/index.ts';
import { openEngine } from '../runtime/index.ts';
import { withoutOwnOfObjective } from './own.ts';
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

it('trains the heads of an objective beside the model and leaves them behind', async () => {
  const plan = loadPlan(await writeKind(root, 'contrastive', { steps: 1, threads: 1 }));
  const stage = { ...(plan.stages[0] as StagePlan), trainable: ['visual_projection.**'] };
  const parts = await buildParts(plan, async () => []);
  const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
  const data = await stageData(stage, parts, hooks);
  const { loaded, trainable } = prepareStage(await openEngine({ threads: 1 }), stage, 0, parts, data);
  const own = [...loaded.store.tensors.keys()].filter((path) => !parts.loaded.store.tensors.has(path));
  expect(own).toEqual([0, 1].flatMap((i) => [`objective.head${i}.weight`, `objective.head${i}.bias`]));
  const trained = [...loaded.store.tensors.keys()].filter(trainable);
  expect(trained).toEqual(['visual_projection.weight', ...own]);
  expect(loaded.store.tensors.get('objective.head0.weight')?.data.some((x) => x !== 0)).toBe(true);
  expect([...withoutOwnOfObjective(loaded).store.tensors]).toEqual([...parts.loaded.store.tensors]);
});
