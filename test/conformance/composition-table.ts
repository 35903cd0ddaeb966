import type { Dim } from '../../src/base/index.ts';
import * as g from '../../src/graph/index.ts';
import { activations } from '../../src/models/activations.ts';
import { alibiBias, attention, causalBlocks, keyBias, rowPositions } from '../../src/nn/index.ts';
import type { Values } from '../support/check-op.ts';

type Value = g.Value;

/** Attributes of a composition's case; each reads its own. */
export interface CompositionAttrs {
  readonly eps: number;
  readonly cap: number;
  /** A name that configurations use. */
  readonly activation: string;
  readonly groups: number;
  readonly offset: number;
  readonly heads: number;
  readonly headSize: number;
  readonly interleaved: boolean;
  readonly kvHeads: number;
  readonly softcap?: number;
  readonly window?: number;
  readonly causal?: boolean;
  readonly alibi?: boolean;
  readonly scale?: number;
}

type Build = (v: Values, attrs: CompositionAttrs) => Value;

const at = (v: Values, name: string) => v[name] as Value;

/** How compositions of decoders and systems are said with the functions of graph and nn. */
export const compositionTable: Readonly<Record<string, Build>> = {
  softCap: (v, { cap }) => g.softCap(at(v, 'x'), cap),
  activation: (v, { activation }) => (activations[activation] as (x: Value) => Value)(at(v, 'x')),
  rmsNormFromOne: (v, { eps }) => g.rmsNorm(at(v, 'x'), g.add(at(v, 'weight'), 1), eps),
  groupNorm: (v, { groups, eps }) => g.groupNorm(at(v, 'x'), groups, at(v, 'weight'), at(v, 'bias'), eps),
  rotaryHeads: (v, { heads, headSize, interleaved }) => {
    const x = at(v, 'x');
    const [b, t] = x.shape as [Dim, Dim, number];
    // Without a width of its own a head is as wide as the tables say.
    const options = { interleaved, ...(at(v, 'cos').shape[1] !== headSize / 2 && { headSize }) };
    return g.rotary(x, rowPositions(x.node.graph, b, t), at(v, 'cos'), at(v, 'sin'), heads, options);
  },
  positionRows: (v, { offset }) => g.gather(at(v, 'weight'), g.add(at(v, 'positions'), offset)),
  attention: (v, { heads, kvHeads, softcap, window, causal, alibi, scale }) => {
    const q = at(v, 'q');
    const { graph } = q.node;
    const size = q.shape[1] as Dim;
    const biases = [
      ...(v.mask ? [v.mask.dtype === 'bool' ? keyBias(v.mask) : v.mask] : []),
      ...(alibi ? [alibiBias(graph, heads, size)] : []),
    ];
    const bias = biases.length > 0 ? biases.reduce((a, b) => g.add(a, b)) : undefined;
    // Two blocks, so that a bias is cut as well.
    const blocks = causal ? causalBlocks(graph, size, 2, window) : undefined;
    return attention(q, at(v, 'k'), at(v, 'v'), { heads, kvHeads, softcap, scale, bias, blocks });
  },
};
