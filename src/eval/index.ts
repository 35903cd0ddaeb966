export { type Recorded, readRecorded } from './against.ts';
export type { EvaluateOptions, PoolRankings, Progress, Request, Responder, SearchHooks } from './asking.ts';
export { type ChangesOf, measureIn, openChanges, type RecordedChange } from './changes.ts';
export { requireImages } from './derangement.ts';
export { arrow, formatEstimate, formatScores } from './format-scores.ts';
export { evaluate } from './harness.ts';
export type { Score } from './headlines.ts';
export { headlines, keyScores, summarise } from './headlines.ts';
export type { Estimate } from './metrics/bootstrap.ts';
export { wordCount } from './metrics/chair.ts';
export type { Naming } from './metrics/naming.ts';
export { nameObjects } from './metrics/naming.ts';
export { isUnclear, parseYesNo } from './metrics/pope.ts';
export { normaliseAnswer } from './metrics/vqa.ts';
export type { ComparedRun, Comparison, StageCurves } from './report/comparison.ts';
export { writeComparison } from './report/comparison.ts';
export type { LossRow } from './report/curves.ts';
export {
  type GridChange,
  type GridMeasure,
  type GridRow,
  type GridTable,
  gridImage,
  gridMarkdown,
  gridTables,
} from './report/grid.ts';
export type { DataSummary, ReportExtras } from './report/report.ts';
export { writeReport } from './report/report.ts';
export type { Retrieved, RetrievedItem } from './report/retrieved.ts';
export { writeRetrieved } from './report/retrieved.ts';
export type { Evaluation, EvaluationSettings, ItemRecord, MetricResult, Predictions, TaskResult } from './results.ts';
export { openPredictions } from './results.ts';
export type { Asks, TaskOptions } from './tasks/catalog.ts';
export {
  checkTasks,
  openTasks,
  taskNames,
  tasksAsk,
  tasksOpenTo,
  usualTasks,
  worldTasksAsked,
} from './tasks/catalog.ts';
export type { ChairOptions, ChairSource } from './tasks/chair.ts';
export { judgeDescription } from './tasks/chair.ts';
export type { PopeOptions, PopeSource } from './tasks/pope.ts';
export type { AnyTask, Item, Metric, Pool, PoolRanking, Span, Task, Verdict } from './tasks/task.ts';
export type { VqaOptions, VqaSource } from './tasks/vqa.ts';
