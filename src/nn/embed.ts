import type { Dim } from '../base/index.ts';
import { gather, reshape, scatterRows, type Value } from '../graph/index.ts';
import { type Init, normal } from './init.ts';
import type { Scope } from './params.ts';

/** Rows of a table at `p` for integer ids of any shape. */
export function embedding(p: Scope, ids: Value, rows: number, width: number, init: Init = normal(0.02)): Value {
  return p.build(() => gather(p.param('weight', [rows, width], init), ids));
}

/** `x [B, T, D]` with the flat rows `index [M]` replaced by `rows [M, D]`: the splice of images into text. */
export function splice(x: Value, index: Value, rows: Value): Value {
  const [b, t, d] = x.shape as [Dim, Dim, Dim];
  return reshape(scatterRows(reshape(x, [-1, d]), index, rows), [b, t, d]);
}
