export { decodeModel } from './decode.ts';
export { encodeModel } from './encode.ts';
export type * from './model.ts';
export { WireWriter } from './wire-writer.ts';
