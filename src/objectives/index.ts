export { changedItems, changeWeights } from './changes.ts';
export { contrastive } from './contrastive.ts';
export { denseLabels } from './dense.ts';
export { languageModeling } from './lm.ts';
export { answerLogProbs, conditionalPreferenceLoss, preferenceLoss } from './preference.ts';
