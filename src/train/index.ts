export { type Batch, type BatchSize, type BatchSource, type Lanes, totalUnits } from './batch.ts';
export { allocateGradients } from './gradients.ts';
export {
  type LoopHooks,
  requireTrainable,
  runStage,
  type Stage,
  type StageOutcome,
  type StageSettings,
  type StageState,
  type StepRecord,
} from './loop.ts';
export { type MemoryPlan, planMemory } from './memory.ts';
export { methods, objectiveNamed } from './methods/index.ts';
export {
  type Before,
  isKeptByObjective,
  isOwnOfObjective,
  type KeptReference,
  type Method,
  type Objective,
  readViews,
  type Trace,
  type Units,
} from './objective.ts';
export { LossProgram, traceProgram } from './program.ts';
export {
  exampleSizes,
  exampleSource,
  longest,
  type PassedOver,
  type SampleRows,
  type SourceOptions,
} from './source.ts';
export { StepProgram } from './step.ts';
