import { int32, type Tensor, TesseraError } from '../base/index.ts';
import type { Example } from './example.ts';

/** Targets of rows on a padded grid. */
export interface Targets {
  /** int32 `[K]`: flat rows of the `[B*T]` grid whose next token is supervised. */
  readonly targetRows: Tensor<'int32'>;
  /** int32 `[K]`: those next tokens. */
  readonly targetIds: Tensor<'int32'>;
  /** int32 `[K]`: the row that each belongs to. */
  readonly targetSamples: Tensor<'int32'>;
}

/** How many tokens of a row are targets. Token t is a target of place t - 1, so the first token of a row never is one. */
export function targetCount({ supervised }: Pick<Example, 'supervised'>): number {
  return supervised.subarray(1).reduce((a, b) => a + b, 0);
}

/**
 * Lists the supervised tokens of rows that are padded to `width`.
 * @throws TesseraError `batch/no-target` when there is nothing to learn from
 */
export function supervisedTargets(examples: readonly Example[], width: number): Targets {
  const rows: number[] = [];
  const ids: number[] = [];
  const samples: number[] = [];
  for (const [b, example] of examples.entries()) {
    for (let t = 1; t < example.ids.length; t++) {
      if (example.supervised[t] !== 1) continue;
      rows.push(b * width + t - 1);
      ids.push(example.ids[t] as number);
      samples.push(b);
    }
  }
  if (rows.length === 0) noTarget(examples);
  const column = (values: readonly number[]) => int32([values.length], values);
  return { targetRows: column(rows), targetIds: column(ids), targetSamples: column(samples) };
}

function noTarget(examples: readonly Example[]): never {
  throw new TesseraError({
    code: 'batch/no-target',
    message: 'the batch has no token to learn from',
    path: examples.map((example) => example.where).join(', ') || '(no examples)',
    remedy: 'look at the rows with `tessera data inspect`',
  });
}
