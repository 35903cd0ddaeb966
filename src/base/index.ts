export * from './dtype.ts';
export * from './errors.ts';
export * from './log.ts';
export type { Named } from './named.ts';
export * from './random.ts';
export * from './settle.ts';
export * from './shape.ts';
export * from './tensor.ts';
export * from './tree.ts';
