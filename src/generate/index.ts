export { type GenerateOptions, type GenerationRequest, generate } from './decode.ts';
export { GenerationProgram, type GenerationProgramOptions } from './program.ts';
export type { Prompt } from './prompt.ts';
export type { Finish, Generated } from './row.ts';
export type { Sampling } from './sampling.ts';
export { continuation, type ScoreRequest, score } from './score.ts';
