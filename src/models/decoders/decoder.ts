import type { Named, Shape } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { Layout } from '../weights/index.ts';

/** What a decoder keeps of the tokens it has read, as inputs of a graph. */
export interface DecoderState {
  /** By the names of `Decoder.state`. */
  readonly values: Named<Value>;
  /** int32 `[B]`: index of each row's last valid position after this call. */
  readonly lastPosition: Value;
  /** int32 `[]`: the largest number of valid positions after this call. */
  readonly total: Value;
}

/** Keys and values `[B, S, kvHeads*d]`. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** The attention of one layer, for what a system lets its tokens see besides. */
export interface LayerAttention {
  /** Keys and values of other states `[B, S, D]` by the layer's own projections, not rotated. */
  readonly project: (states: Value) => KeyValue;
  /** What every token sees of all of these, `[B, T, heads*d]`: by the layer's own queries, rotated where it rotates, and scale. */
  readonly look: (seen: KeyValue) => Value;
}

/** What a system puts around the blocks of a decoder that is not its own. */
export interface Around {
  /** The states `[B, T, D]` that block `layer` reads, from those it would have read (Flamingo's gated cross attention). */
  readonly before?: ((layer: number, x: Value) => Value) | undefined;
  /**
   * What is added to the mixed values `[B, T, heads*d]` of a layer, before its output projection (LLaMA-Adapter's
   * prompts); undefined for layers without.
   */
  readonly beside?: ((layer: number, own: LayerAttention) => Value | undefined) | undefined;
}

/** What may be asked of a pass through a decoder. */
export interface DecodeAsk {
  /** int32 `[K]`: flat rows whose states are wanted, none of which repeats; all of them by default. */
  readonly rows?: Value | undefined;
  /** What earlier tokens left; without it the text is read from its beginning and leaves nothing. */
  readonly state?: DecoderState | undefined;
  readonly around?: Around | undefined;
  /** What is kept of the source that is answered, where the decoder has one. */
  readonly source?: Named<Value> | undefined;
}

/** The other half of an encoder-decoder: a text that is read once, and looked at for every token of the answer. */
export interface SourceReader {
  /** The token that every answer begins with. */
  readonly start: number;
  /** What is kept of it, by name: `B` counts rows, `S` the tokens of the longest source. It does not grow. */
  readonly state: Named<Shape>;
  /** Reads embeddings `[B, S, D]`, of which the first `lengths` (int32 `[B]`) of each row count. */
  read(p: Scope, embeds: Value, lengths: Value): Named<Value>;
}

/** Where the linear layers of a decoder are, for adapters and for rounding. */
export interface LinearPlaces {
  /** Places of the repeated blocks. */
  readonly blocks: readonly string[];
  /** The head, where it has a matrix of its own. */
  readonly head: string;
}

/** True for paths within the repeated blocks of a language part: what adapters and rounding go to unless told. */
export function isInBlocks({ blocks }: LinearPlaces, path: string): boolean {
  return blocks.some((block) => path.startsWith(`${block}.`));
}

/** A language model, cut where a system puts other things than words between its embeddings. */
export interface Decoder {
  readonly vocabSize: number;
  readonly width: number;
  readonly maxPositions: number;
  /** How many blocks it has. */
  readonly layers: number;
  /** Of a block's self-attention: query heads, heads of keys and values, and the numbers in each. */
  readonly heads: { readonly query: number; readonly key: number; readonly size: number };
  /** What is kept between steps, by name: `B` counts rows, `C` the positions there is room for. */
  readonly state: Named<Shape>;
  /** Embeddings `[B, T, D]` of `ids [B, T]`; `p` is the place of the whole decoder here and below. */
  embed(p: Scope, ids: Value): Value;
  /** Set where the decoder answers a source. */
  readonly source?: SourceReader | undefined;
  /** Hidden states after the final norm: `[B, T, D]`, or `[K, D]` of the rows asked for; and the state after these tokens. */
  decode(p: Scope, embeds: Value, ask?: DecodeAsk): { readonly hidden: Value; readonly state: Named<Value> };
  /** Logits `[.., V]`. */
  head(p: Scope, hidden: Value): Value;
  readonly linears: LinearPlaces;
  /** The key names under which files hold it, the usual ones first. */
  readonly layouts: readonly Layout[];
  /** Parameters that files may hold twice, by the name of the copy. */
  readonly tied: Named<string>;
}
