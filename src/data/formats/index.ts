export type { FormatName, ReadOptions } from './read.ts';
export { formatNames, readRows } from './read.ts';
export type { VqaFiles, VqaQuestion } from './vqa.ts';
export { vqaQuestions } from './vqa.ts';
