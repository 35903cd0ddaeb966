export { contrastive } from './contrastive.ts';
export { languageModeling } from './lm.ts';
