export type { ExampleDescription, FormatOptions } from './format.ts';
export { describeExample, formatExample } from './format.ts';
