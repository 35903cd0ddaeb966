import { afterAll } from 'vitest';
import { silentLog } from '../../src/base/index.ts';
import { loadPlan, type StagePlan } from '../../src/recipe/index.ts';
import { buildParts } from '../../src/run/parts.ts';
import { stageData } from '../../src/run/rows.ts';
import { openEngine } from '../../src/runtime/index.ts';
import { writeKind } from '../exact/kinds.ts';
import { scratchFolder } from './scratch-folder.ts';

/** Worlds of the tests of a file go to a folder of their own. */
const before = process.env.TESSERA_CACHE;
const root = scratchFolder().fresh();
process.env.TESSERA_CACHE = root;
afterAll(() => {
  if (before === undefined) delete process.env.TESSERA_CACHE;
  else process.env.TESSERA_CACHE = before;
});

/** A tiny stage of images and texts, with the model and the rows that it begins with. */
export async function contrastiveStage() {
  const plan = loadPlan(await writeKind(root, 'contrastive', { steps: 1, threads: 1 }));
  const stage = plan.stages[0] as StagePlan;
  const parts = await buildParts(plan, async () => []);
  const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
  return { stage, parts, data: await stageData(stage, parts, hooks), engine: await openEngine({ threads: 1 }) };
}
