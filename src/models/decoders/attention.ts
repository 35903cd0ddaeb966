import type { Dim, Named, Shape } from '../../base/index.ts';
import {
  add,
  cachedAttention,
  cast,
  concat,
  equal,
  iota,
  mul,
  pad,
  reshape,
  rotary,
  sizeScalar,
  slice,
  sub,
  takeRows,
  type Value,
  where,
} from '../../graph/index.ts';
import {
  alibiBias,
  attention,
  type CausalBlock,
  causalBlocks,
  rotaryTables,
  rowPositions,
  type Scope,
} from '../../nn/index.ts';
import { DISTANCE_NUMBERS, withDistances, withoutDistances } from './alibi.ts';
import type { Around, DecodeAsk, DecoderState, KeyValue, LayerAttention } from './decoder.ts';
import type { Rope } from './rope.ts';
import type { Windows } from './window.ts';

/** The causal self-attention of a decoder's layers. */
export interface AttentionPlan {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly maxPositions: number;
  /** Without it nothing is rotated. */
  readonly rope?: Rope | undefined;
  /** A key loses a slope for each position that it is back; each query head has keys of its own. */
  readonly alibi?: boolean | undefined;
  /** Where the blocks are; `layers` unless told. */
  readonly blocks?: string | undefined;
  /** One entry a layer. */
  readonly windows: Windows;
  /** Default 1/sqrt(head size). */
  readonly scale?: number | undefined;
  readonly softcap?: number | undefined;
}

/**
 * Mixed values `[B, T, heads*d]` from `[B, T, heads*d]` queries, `[B, T, kvHeads*d]` keys and values, not yet rotated.
 * `project` makes keys and values of other states, for what a system adds.
 */
export type Attend = (query: Value, key: Value, value: Value, project: LayerAttention['project']) => Value;

interface SelfAttention {
  attend(layer: number, ...tokens: Parameters<Attend>): Value;
  /** The state after the layers so far; empty without one before. */
  readonly state: Named<Value>;
}

/** Names of a layer's keys and values in a state. */
const keyName = (layer: number) => `key.${layer}`;
const valueName = (layer: number) => `value.${layer}`;

/** ONNX Runtime's cached attention takes head sizes that are multiples of 16, so other heads are widened. */
function cachedHeadSize(headSize: number): number {
  return Math.ceil(headSize / 16) * 16;
}

/** Keys and values of every layer. */
export function attentionState({ kvHeads, headSize, windows, alibi }: AttentionPlan): Named<Shape> {
  const shape = ['B', kvHeads, 'C', cachedHeadSize(headSize + (alibi ? DISTANCE_NUMBERS : 0))];
  return Object.fromEntries(
    windows.flatMap((_, layer) => [
      [keyName(layer), shape],
      [valueName(layer), shape],
    ]),
  );
}

/** The attention of one pass over `[B, T]` tokens: over the text itself, or over a state that grows by it. */
function selfAttention(
  p: Scope,
  [b, t]: readonly [Dim, Dim],
  plan: AttentionPlan,
  { state, around }: { readonly state?: DecoderState | undefined; readonly around?: Around | undefined },
): SelfAttention {
  const shared = p.build(() => ({
    tables: plan.rope && tablesOf(p, plan, plan.rope),
    blocks: blocksOf(p, t, plan),
    // The cached attention knows its own.
    positions: tokenPositions(p, [b, t], around?.beside || plan.alibi ? state : undefined),
    bias: plan.alibi && !state ? alibiBias(p.graph, plan.heads, t) : undefined,
  }));
  const { tables, positions, bias } = shared;
  const { heads, kvHeads, scale, softcap, windows } = plan;
  const turn = (x: Value, count: number) => (tables ? rotary(x, positions, tables.cos, tables.sin, count) : x);
  const after: Record<string, Value> = {};

  const overText = (layer: number, query: Value, key: Value, value: Value): Value => {
    const blocks = shared.blocks.get(windows[layer]) as readonly CausalBlock[];
    return attention(turn(query, heads), turn(key, kvHeads), value, { heads, kvHeads, scale, softcap, blocks, bias });
  };
  const overState = (layer: number, query: Value, key: Value, value: Value, from: DecoderState): Value => {
    const past = { key: from.values[keyName(layer)] as Value, value: from.values[valueName(layer)] as Value };
    const attend = plan.alibi ? attendDistant(positions) : attendCached;
    const present = attend({ query, key, value, rotary: tables }, past, from, plan, layer);
    after[keyName(layer)] = present.key;
    after[valueName(layer)] = present.value;
    return present.out;
  };
  return {
    state: after,
    attend(layer, query, key, value, project) {
      const [q, k] = [arranged(query, heads, plan), arranged(key, kvHeads, plan)];
      const mixed = state ? overState(layer, q, k, value, state) : overText(layer, q, k, value);
      const beside = around?.beside?.(layer, {
        project(states) {
          const other = project(states);
          return { key: arranged(other.key, kvHeads, plan), value: other.value };
        },
        look: (seen) => attention(turn(q, heads), seen.key, seen.value, { heads, kvHeads, scale, softcap }),
      });
      return beside ? add(mixed, beside) : mixed;
    },
  };
}

/** A block: the states `[B, T, D]` after it, or `[K, D]` of the flat `rows` alone. */
export type Block = (p: Scope, x: Value, attend: Attend, rows: Value | undefined) => Value;

/**
 * States `[B, T, D]` after all blocks below `p`, or `[K, D]` of the rows asked for, and the state of their
 * attention. Each block is a segment of its own, which a backward pass may compute again.
 */
export function throughBlocks(
  p: Scope,
  plan: AttentionPlan,
  embeds: Value,
  ask: DecodeAsk,
  block: Block,
): { readonly x: Value; readonly state: Named<Value> } {
  const [b, t] = embeds.shape as [Dim, Dim, Dim];
  const self = selfAttention(p, [b, t], plan, ask);
  let x = embeds;
  for (const i of plan.windows.keys()) {
    const read = ask.around?.before?.(i, x) ?? x;
    // Nobody reads the last block's other rows once its keys and values are made.
    const rows = i === plan.windows.length - 1 ? ask.rows : undefined;
    const attend: Attend = (...tokens) => self.attend(i, ...tokens);
    x = p.graph.segment(() => block(p.at(plan.blocks ?? 'layers').at(i), read, attend, rows));
  }
  return { x, state: self.state };
}

/** The flat `rows` of states `[B, T, D]`; all of them in their shape without rows. */
export function keptRows(states: Value, rows: Value | undefined): Value {
  return rows ? takeRows(reshape(states, [-1, states.shape.at(-1) as Dim]), rows) : states;
}

function tablesOf(p: Scope, { maxPositions, headSize }: AttentionPlan, rope: Rope): { cos: Value; sin: Value } {
  return rotaryTables(p.graph, maxPositions, rope.frequencies, { pairs: headSize / 2, scale: rope.scale });
}

/** Blocks of the attention over a text, by window. */
function blocksOf(p: Scope, t: Dim, plan: AttentionPlan): ReadonlyMap<number | undefined, readonly CausalBlock[]> {
  const count = blockCount(plan);
  return new Map([...new Set(plan.windows)].map((window) => [window, causalBlocks(p.graph, t, count, window)]));
}

/** Blocks of the causal attention: at most 6, of 64 positions or more in the longest text. Short texts gain nothing by them. */
function blockCount({ maxPositions }: AttentionPlan): number {
  return maxPositions < 256 ? 1 : Math.min(6, Math.floor(maxPositions / 64));
}

/**
 * Positions of `[B, S]` tokens, int64 `[B, S]`: 0 to S - 1 where a text or a prompt is read, padding included, else the S
 * that end at the last one.
 */
export function tokenPositions(p: Scope, [b, s]: readonly [Dim, Dim], state: DecoderState | undefined): Value {
  if (!state) return rowPositions(p.graph, b, s);
  const [last, total] = [cast(state.lastPosition, 'int64'), cast(state.total, 'int64')];
  const size = sizeScalar(total, s);
  const start = where(equal(total, size), 0, sub(add(last, 1), size));
  return add(reshape(start, [b, 1]), reshape(iota(p.graph, s), [1, s]));
}

/**
 * Where part of a head turns, the numbers that stay are put behind the two halves that turn, so that number i of a head
 * still turns with number i + d/2. Scores do not see the order of a head.
 */
function arranged(x: Value, heads: number, { rope, headSize }: AttentionPlan): Value {
  const turning = rope ? rope.frequencies.length : 0;
  const staying = headSize / 2 - turning;
  if (turning === 0 || staying === 0) return x;
  const [b, t, width] = x.shape as [Dim, Dim, number];
  const perHead = reshape(x, [b, t, heads, headSize]);
  const part = (from: number, size: number) => slice(perHead, 3, from, from + size);
  const parts = [
    part(0, turning),
    part(2 * turning, staying),
    part(turning, turning),
    part(2 * turning + staying, staying),
  ];
  return reshape(concat(parts, 3), [b, t, width]);
}

interface Tokens {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly rotary: { readonly cos: Value; readonly sin: Value } | undefined;
}

/** Attention of one layer over its keys and values; gives `[B, S, heads*d]` and both with the tokens added. */
function attendCached(x: Tokens, past: KeyValue, from: DecoderState, plan: AttentionPlan, layer: number) {
  const { heads, kvHeads, headSize, scale, softcap } = plan;
  const extra = (cachedHeadSize(headSize) - headSize) / 2;
  const shared = { pastKey: past.key, pastValue: past.value, lastPosition: from.lastPosition, total: from.total };
  const attrs = { heads, kvHeads, scale, softcap, window: plan.windows[layer] };
  if (extra === 0) return cachedAttention({ ...x, ...shared }, attrs);
  // Scores are divided by the root of the widened size, unless a scale is told.
  const widening = scale === undefined ? Math.sqrt((headSize + 2 * extra) / headSize) : 1;
  const query = widenHeads(x.query, heads, headSize, extra);
  const widened = {
    query: widening === 1 ? query : mul(query, widening),
    key: widenHeads(x.key, kvHeads, headSize, extra),
    value: widenHeads(x.value, kvHeads, headSize, extra),
    rotary: x.rotary && { cos: pad(x.rotary.cos, 1, 0, extra), sin: pad(x.rotary.sin, 1, 0, extra) },
  };
  const { out, ...present } = cachedAttention({ ...widened, ...shared }, attrs);
  return { out: narrowHeads(out, heads, headSize, extra), ...present };
}

/** The same with what keys lose by their distance. */
function attendDistant(positions: Value): typeof attendCached {
  return (x, past, from, plan, layer) => {
    const heads = { ...plan, scale: plan.scale ?? 1 / Math.sqrt(plan.headSize) };
    const wide = { ...heads, headSize: plan.headSize + DISTANCE_NUMBERS };
    const { out, ...present } = attendCached({ ...x, ...withDistances(x, positions, heads) }, past, from, wide, layer);
    return { out: withoutDistances(out, plan), ...present };
  };
}

/** Puts `extra` zeros behind each half of every head, so that rotation still pairs the halves. */
function widenHeads(x: Value, heads: number, headSize: number, extra: number): Value {
  const [b, t] = x.shape as [Dim, Dim, number];
  const halves = reshape(x, [b, t, 2 * heads, headSize / 2]);
  return reshape(pad(halves, 3, 0, extra), [b, t, heads * (headSize + 2 * extra)]);
}

function narrowHeads(x: Value, heads: number, headSize: number, extra: number): Value {
  const [b, t] = x.shape as [Dim, Dim, number];
  const halves = reshape(x, [b, t, 2 * heads, headSize / 2 + extra]);
  return reshape(slice(halves, 3, 0, headSize / 2), [b, t, heads * headSize]);
}
