export { contrastive } from './contrastive.ts';
export { denseLabels } from './dense.ts';
export { languageModeling } from './lm.ts';
