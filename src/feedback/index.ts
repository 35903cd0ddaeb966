export type { Answered, Builder, Built } from './builders/builder.ts';
export { type BuilderName, builderNames, builders } from './builders/index.ts';
export type { Judge } from './judge.ts';
export { beginPairSet, openPairSet, type PairFolder, reportOf } from './pair-set/pair-set.ts';
export { recordOf, type Sampled } from './pair-set/record.ts';
export type { PairReport } from './pair-set/report.ts';
export { reportText } from './pair-set/report-text.ts';
export { type SceneOf, sceneOracle } from './scenes/oracle.ts';
