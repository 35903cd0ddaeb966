export { changedItems, changeWeights } from './changes.ts';
export { contrastive } from './contrastive.ts';
export { denseLabels } from './dense.ts';
export { bestQuery, hardNegatives, isOther, matching, pairContrast, smoothedCrossEntropy } from './image-text.ts';
export { languageModeling, zLoss } from './lm.ts';
export { forwardDivergence, phraseLoss, phraseRatios } from './phrases.ts';
export { answerLogProbs, conditionalPreferenceLoss, divergenceEstimate, preferenceLoss } from './preference.ts';
export { type Coded, quantization, reconstruction, restartDeadCodes } from './vector-quantization.ts';
