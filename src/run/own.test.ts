import { expect, it } from 'vitest';
import { contrastiveStage } from '../../test/support/contrastive-stage.ts';
import { modelCounts, withoutOwnOfObjective } from './own.ts';
import { prepareStage } from './prepare.ts';

it('trains the heads of an objective beside the model and leaves them behind', async () => {
  const { stage: given, parts, data, engine } = await contrastiveStage();
  const stage = { ...given, trainable: ['visual_projection.**'] };
  const { loaded, trainable } = prepareStage(engine, stage, 0, parts, data);
  const own = [...loaded.store.tensors.keys()].filter((path) => !parts.loaded.store.tensors.has(path));
  expect(own).toEqual([0, 1].flatMap((i) => [`objective.head${i}.weight`, `objective.head${i}.bias`]));
  const trained = [...loaded.store.tensors.keys()].filter(trainable);
  expect(trained).toEqual(['visual_projection.weight', ...own]);
  expect(loaded.store.tensors.get('objective.head0.weight')?.data.some((x) => x !== 0)).toBe(true);
  const heads = own.reduce((n, path) => n + (loaded.store.tensors.get(path)?.data.length ?? 0), 0);
  const projection = loaded.store.tensors.get('visual_projection.weight')?.data.length ?? 0;
  const whole = [...parts.loaded.store.tensors.values()].reduce((n, { data: values }) => n + values.length, 0);
  expect(modelCounts(loaded, projection + heads)).toEqual({ trained: projection, parameters: whole });
  expect([...withoutOwnOfObjective(loaded).store.tensors]).toEqual([...parts.loaded.store.tensors]);
});
