export { catalog, statusOf } from './catalog.ts';
export { defaultOf } from './defaults.ts';
export { findRecipe } from './find.ts';
export { missingInputs } from './inputs.ts';
export { filePlan, formatRecipe, loadPlan, parsePlan } from './load.ts';
export { type OptionRow, optionRows } from './option.ts';
export { locate } from './place.ts';
export type { LoraPlan, Plan, StagePlan, TrainPlan } from './plan.ts';
export { type DataRecipe, type ModelRecipe, recipeSchema } from './schema.ts';
