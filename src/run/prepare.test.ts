import { expect, it } from 'vitest';
import { contrastiveStage } from '../../test/support/contrastive-stage.ts';
import { prepareStage } from './prepare.ts';

it('refuses every pattern that selects nothing, of what is trained and of rates', async () => {
  const { stage, parts, data, engine } = await contrastiveStage();
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
