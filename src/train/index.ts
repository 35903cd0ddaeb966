export type { Batch, BatchSize, BatchSource } from './batch.ts';
export {
  type LoopHooks,
  runStage,
  type Stage,
  type StageOutcome,
  type StageSettings,
  type StageState,
  type StepRecord,
} from './loop.ts';
export { type MemoryPlan, planMemory } from './memory.ts';
export { allocateGradients, LossProgram } from './program.ts';
export { exampleSizes, exampleSource, type SourceOptions } from './source.ts';
