export type { FormatName, ReadOptions } from './read.ts';
export { formatNames, readRows } from './read.ts';
export type { ImageRef, Outcome, Part, Row, Turn } from './row.ts';
export type { VqaFiles, VqaItem } from './vqa.ts';
