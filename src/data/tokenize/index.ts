export type { StreamDecoder } from './decode.ts';
export type { Encoding } from './encode.ts';
export type { TokenizerFiles } from './files.ts';
export type { Piece } from './split.ts';
export { splitAt } from './split.ts';
export type { Tokenizer } from './tokenizer.ts';
export { createTokenizer, loadTokenizer } from './tokenizer.ts';
export type { BpeOptions } from './train-bpe.ts';
export { trainBpe } from './train-bpe.ts';
