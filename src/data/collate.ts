import { int32, type Tensor, TesseraError, tensor } from '../base/index.ts';
import type { Example } from './example.ts';
import type { ImageMedia } from './row.ts';

/** A batch but for its pixels. B examples, T padded length, K targets, R rows taken by images. */
export interface TokenBatch {
  /** `[B, T]`, padded on the right. */
  readonly ids: Tensor<'int32'>;
  /** `[K]` flat rows of the `[B*T]` grid whose next token is supervised. */
  readonly targetRows: Tensor<'int32'>;
  /** `[K]` those next tokens. */
  readonly targetIds: Tensor<'int32'>;
  /** `[R]` flat rows of the image tokens, picture after picture. */
  readonly imageRows: Tensor<'int32'>;
  /** `[B]` lengths before padding. */
  readonly lengths: Int32Array<ArrayBuffer>;
  /** The pictures in the order of `imageRows`. */
  readonly images: readonly ImageMedia[];
}

export interface CollateOptions {
  readonly padId: number;
  /** Lengths are padded to a multiple of this. */
  readonly padTo?: number;
  /** Prompts for generation have no targets; training batches must have some, which is the default. */
  readonly targets?: 'required' | 'optional';
}

/**
 * Pads examples to one length and lists the rows that matter. Token t is a target of row t - 1, so the first token of
 * a sequence never is one.
 * @throws TesseraError `batch/no-target` when nothing in the batch could be learnt
 */
export function collate(examples: readonly Example[], options: CollateOptions): TokenBatch {
  const { padId, padTo = 1, targets = 'required' } = options;
  const lengths = Int32Array.from(examples, (example) => example.ids.length);
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  const width = Math.ceil(longest / padTo) * padTo;
  const ids = new Int32Array(examples.length * width).fill(padId);
  const targetRows: number[] = [];
  const targetIds: number[] = [];
  const imageRows: number[] = [];
  for (const [b, example] of examples.entries()) {
    const row = b * width;
    ids.set(example.ids, row);
    for (let t = 1; t < example.ids.length; t++) {
      if (example.supervised[t] !== 1) continue;
      targetRows.push(row + t - 1);
      targetIds.push(example.ids[t] as number);
    }
    for (const { start, tokens } of example.images) {
      for (let k = 0; k < tokens; k++) imageRows.push(row + start + k);
    }
  }
  if (targets === 'required' && targetRows.length === 0) noTarget(examples);
  return {
    ids: tensor('int32', [examples.length, width], ids),
    targetRows: int32([targetRows.length], targetRows),
    targetIds: int32([targetIds.length], targetIds),
    imageRows: int32([imageRows.length], imageRows),
    lengths,
    images: examples.flatMap((example) => example.images.map((span) => span.image)),
  };
}

function noTarget(examples: readonly Example[]): never {
  throw new TesseraError({
    code: 'batch/no-target',
    message: 'the batch has no token to learn from',
    path: examples.map((example) => example.where).join(', ') || '(no examples)',
    remedy: 'look at the rows with `tessera data inspect`',
  });
}
