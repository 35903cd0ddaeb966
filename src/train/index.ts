export type { Batch, BatchSize, BatchSource, Lanes } from './batch.ts';
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
export { LossProgram } from './program.ts';
export { exampleSizes, exampleSource, type SourceOptions } from './source.ts';
export { StepProgram } from './step.ts';
