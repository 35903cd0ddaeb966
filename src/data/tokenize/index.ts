export type { StreamDecoder } from './decode.ts';
export type { TokenizerFiles } from './files.ts';
export type { Piece } from './split.ts';
export { splitAt } from './split.ts';
export type { Encoding, Tokenizer } from './tokenizer.ts';
export { createTokenizer, loadTokenizer } from './tokenizer.ts';
export type { BpeOptions } from './train-bpe.ts';
export { trainBpe } from './train-bpe.ts';
