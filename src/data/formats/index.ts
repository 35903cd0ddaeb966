export { dataFile, isDataThere } from './data-file.ts';
export type { ReadOptions } from './read.ts';
export { readRows, readSamples, streamSamples } from './read.ts';
export type { FormatName, FormatOptionName } from './table.ts';
export { formatNames, formatOptions } from './table.ts';
export { readUsableSamples } from './usable.ts';
export type { VqaFiles, VqaQuestion } from './vqa.ts';
export { vqaQuestions } from './vqa.ts';
