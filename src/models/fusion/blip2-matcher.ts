import type { Dim } from '../../base/index.ts';
import {
  cast,
  concat,
  fill,
  gather,
  iota,
  l2Normalize,
  less,
  pad,
  reduceMean,
  reshape,
  slice,
  type Value,
  where,
} from '../../graph/index.ts';
import { causalBias, keyBias, linear, normal, type Scope } from '../../nn/index.ts';
import { neededInput } from '../inputs.ts';
import type { ComparedText, Matcher } from '../model.ts';
import { type Blip2Config, blip2Parts, lookedAt, queryTokens } from './blip2.ts';
import { qformer, qformerTable, qformerWords } from './qformer.ts';

/** What the first stage of BLIP-2 computes (Li et al. 2023, section 3.2): one Q-Former under three masks. */
export function blip2Matcher(c: Blip2Config, width: number): Matcher {
  const former = (p: Scope) => p.at(blip2Parts.qformer);
  const words = (p: Scope, ids: Value) => qformerWords(p.at('embeddings'), c.qformer, ids);
  const init = { init: normal(c.qformer.initStd) };
  return {
    maxPositions: c.qformer.maxPositions,
    vocabSize: c.qformer.vocabSize,
    texts(x) {
      const ids = neededInput(x, 'ids');
      const lengths = neededInput(x, 'textLengths');
      return { ids: c.fronted > 0 ? slice(ids, 1, c.fronted) : ids, lengths };
    },
    image(p, pixels) {
      const { features, seen } = lookedAt(p, c, pixels);
      const vectors = l2Normalize(linear(p.at('vision_projection'), seen.queries as Value, width, init));
      return { features, vectors, kept: seen.kept };
    },
    text(p, text) {
      const { text: states } = qformer(
        former(p),
        c.qformer,
        { text: words(p, text.ids) },
        { bias: p.build(() => keyBias(seenOf(text))) },
      );
      const first = p.build(() => firstRow(states as Value));
      return l2Normalize(linear(p.at('text_projection'), first, width, init));
    },
    match(p, features, text) {
      const queries = queryTokens(p, c, text.ids.shape[0] as Dim);
      const bias = p.build(() => keyBias(behindQueries(seenOf(text), c.queries)));
      const rows = { queries, text: words(p, text.ids) };
      const { queries: states } = qformer(former(p), c.qformer, rows, { features, bias });
      const each = linear(p.at('itm_head'), states as Value, 2, init);
      return p.build(() => reduceMean(each, [1]));
    },
    written(p, past, { ids }, rows) {
      const asked = p.build(() => opened(ids, c.qformer.start));
      const bias = p.build(() => causalBehindQueries(ids, c.queries));
      const { text } = qformer(former(p), c.qformer, { text: words(p, asked) }, { bias, past });
      // Rows count in what a batch calls ids, the places of the image included.
      return p.build(() => gather(reshape(pad(text as Value, 1, c.fronted, 0), [-1, c.qformer.width]), rows));
    },
    words: (p) => qformerTable(p.at('embeddings'), c.qformer),
  };
}

/** float32 `[B, T]`: 1 where a token counts. */
function seenOf({ ids, lengths }: ComparedText): Value {
  const [b, t] = ids.shape as [Dim, Dim];
  const { graph } = ids.node;
  const inText = less(reshape(iota(graph, t), [1, t]), reshape(cast(lengths, 'int64'), [b, 1]));
  return where(inText, fill(graph, [], 'float32', 1), 0);
}

/** `[B, Q + T]`: queries are always seen. */
function behindQueries(seen: Value, queries: number): Value {
  const [b] = seen.shape as [Dim];
  return concat([fill(seen.node.graph, [b, queries], 'float32', 1), seen], 1);
}

/** `[T, Q + T]`: each token sees all queries, itself and what is before it. */
function causalBehindQueries(ids: Value, queries: number): Value {
  const { graph } = ids.node;
  const t = ids.shape[1] as Dim;
  return concat([fill(graph, [t, queries], 'float32', 0), causalBias(graph, t)], 1);
}

/** The ids with another first token. */
function opened(ids: Value, start: number): Value {
  const [b] = ids.shape as [Dim];
  return concat([fill(ids.node.graph, [b, 1], 'int32', start), slice(ids, 1, 1)], 1);
}

function firstRow(states: Value): Value {
  const [b, , width] = states.shape as [Dim, Dim, number];
  return reshape(slice(states, 1, 0, 1), [b, width]);
}
