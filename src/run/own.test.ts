import { expect, it } from 'vitest';
import { contrastiveStage } from '../../test/support/contrastive-stage.ts';
import { withoutOwnOfObjective } from './own.ts';
import { prepareStage } from './prepare.ts';

it('trains the heads of an objective beside the model and leaves them behind', async () => {
  const { stage: whole, parts, data, engine } = await contrastiveStage();
  const stage = { ...whole, trainable: ['visual_projection.**'] };
  const { loaded, trainable } = prepareStage(engine, stage, 0, parts, data);
  const own = [...loaded.store.tensors.keys()].filter((path) => !parts.loaded.store.tensors.has(path));
  expect(own).toEqual([0, 1].flatMap((i) => [`objective.head${i}.weight`, `objective.head${i}.bias`]));
  const trained = [...loaded.store.tensors.keys()].filter(trainable);
  expect(trained).toEqual(['visual_projection.weight', ...own]);
  expect(loaded.store.tensors.get('objective.head0.weight')?.data.some((x) => x !== 0)).toBe(true);
  expect([...withoutOwnOfObjective(loaded).store.tensors]).toEqual([...parts.loaded.store.tensors]);
});
