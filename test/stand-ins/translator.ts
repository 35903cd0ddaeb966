import type { Processor } from '../../src/data/index.ts';
import { add, reshape, takeRows, type Value } from '../../src/graph/index.ts';
import type { ConfigJson, Model, SystemRecipe, Writer } from '../../src/models/index.ts';
import { neededInput } from '../../src/models/inputs.ts';
import { attention, embedding, keyBias, linear, normal, rmsNormAt, type Scope } from '../../src/nn/index.ts';

/** An encoder-decoder that nobody published: each token of the answer looks at the source, and at nothing else. */

interface Config {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly max_position_embeddings: number;
  readonly start_token_id: number;
}

export const translatorRecipe: SystemRecipe = {
  keys: {},
  needs: ['from'],
  does: ['writer'],
  language: '',
  seesImages: false,
};

export function translator(json: ConfigJson): Model {
  const c = json as unknown as Config;
  const width = c.hidden_size;
  const embed = (p: Scope, ids: Value) => embedding(p.at('words'), ids, c.vocab_size, width, normal(0.5));
  const writer: Writer = {
    vocabSize: c.vocab_size,
    width,
    maxPositions: c.max_position_embeddings,
    state: { source: ['B', 'S', width], seen: ['B', 'S'] },
    linears: { blocks: ['look'], head: 'head' },
    hidden(p, x, ask) {
      const words = embed(p, neededInput(x, 'ids'));
      // Read with the prompt, kept for every step after it.
      const source = x.sourceIds
        ? linear(p.at('read'), embed(p, x.sourceIds), width, { init: normal(0.3) })
        : (ask?.state?.values.source as Value);
      const seen = x.sourceSeen ?? (ask?.state?.values.seen as Value);
      const look = p.at('look');
      const mixed = look.build(() => {
        const q = linear(look.at('q_proj'), words, width, { init: normal(0.3) });
        const k = linear(look.at('k_proj'), source, width, { init: normal(0.3) });
        return attention(q, k, source, { heads: 1, bias: keyBias(seen) });
      });
      const states = rmsNormAt(
        p.at('norm'),
        p.build(() => add(words, mixed)),
        1e-5,
      );
      const hidden = ask?.rows ? takeRows(reshape(states, [-1, width]), ask.rows) : states;
      return { hidden, state: { source, seen } };
    },
    head: (p, hidden) => linear(p.at('head'), hidden, c.vocab_size, { bias: false, init: normal(0.3) }),
  };
  return {
    architecture: 'translator',
    json,
    layouts: [{ name: 'translator', rules: ['words.', 'read.', 'look.', 'norm.', 'head.'].map((at) => [at, at]) }],
    tied: {},
    parts: { language: '' },
    processor: (): Processor => ({
      inputs: {
        ids: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'the answer' },
        sourceIds: { dtype: 'int32', shape: ['B', 'S'], join: 'pad', says: 'what is answered' },
        sourceSeen: { dtype: 'float32', shape: ['B', 'S'], join: 'pad', says: '1 where the source has a token' },
      },
      row: ({ texts }) => ({ sourceSeen: Array<number>(texts?.sourceIds?.length ?? 0).fill(1) }),
      texts: ({ supervised }) => [supervised ? 'ids' : 'sourceIds'],
      opens: { ids: [c.start_token_id], sourceIds: [] },
    }),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    writer,
  };
}
