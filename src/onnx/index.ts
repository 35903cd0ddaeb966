export type { Target } from './legalize/table.ts';
export { type LowerOptions, lower } from './lower.ts';
export * from './proto/index.ts';
