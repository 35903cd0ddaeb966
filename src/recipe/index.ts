export { catalog, statusOf } from './catalog.ts';
export { findRecipe } from './find.ts';
export { missingInputs } from './inputs.ts';
export { filePlan, formatRecipe, loadPlan, parsePlan } from './load.ts';
export { optionRows } from './option.ts';
export type { Plan } from './plan.ts';
export * from './run.ts';
export { recipeSchema } from './schema.ts';
