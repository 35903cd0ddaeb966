import { allEnded, type Tensor, tensor, zeros } from '../../base/index.ts';
import { add, div, Graph, mul, sqrt, sub } from '../../graph/index.ts';
import type { ParameterStore } from '../../nn/index.ts';
import { type BoundRun, compile, type Engine, overlap, type Session } from '../../runtime/index.ts';
import type { GradientBuffer } from '../gradients.ts';

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

/** First and second moments, laid out like the gradients. */
export interface Moments {
  readonly first: Float32Array<ArrayBuffer>;
  readonly second: Float32Array<ArrayBuffer>;
}

export function allocateMoments(gradients: GradientBuffer): Moments {
  return { first: new Float32Array(gradients.flat.length), second: new Float32Array(gradients.flat.length) };
}

/** True for shapes that weight decay applies to: matrices and higher, never norms, biases and other vectors. */
export function decays(shape: readonly number[]): boolean {
  return shape.length >= 2;
}

/** What an optimizer works on for its whole life. */
export interface AdamWTarget {
  readonly store: ParameterStore;
  readonly gradients: GradientBuffer;
  readonly moments: Moments;
  readonly options: AdamWOptions;
  /** Peak learning rate of a parameter. */
  rateOf(path: string): number;
  /** False for matrices that weight decay spares. */
  decays?(path: string): boolean;
}

/** What one optimizer step brings along. */
export interface AdamWStep {
  /** Counted from 1. */
  readonly step: number;
  /** Of the peak rates. */
  readonly rateFactor: number;
  /** Multiplies every gradient first, as clipping does. */
  readonly gradientScale: number;
}

/**
 * AdamW (Loshchilov & Hutter 2019, algorithm 2, decay decoupled) as a graph over pieces of the flat buffers, in place.
 * With t the step: `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, and
 * `p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps) + lr wd p`, all in float32 and element by element, so that
 * neither threads nor the cut into pieces change a bit.
 */
export class AdamW {
  readonly #session: Session;
  readonly #target: AdamWTarget;
  readonly #groups: readonly Group[];
  readonly #shared = scalars('keepFirst', 'keepSecond', 'takeFirst', 'takeSecond', 'eps');
  readonly #atOnce: number;

  private constructor(session: Session, target: AdamWTarget, atOnce: number) {
    this.#session = session;
    this.#target = target;
    this.#atOnce = atOnce;
    this.#groups = spansOf(target).map((span) => {
      const own = scalars('rate', 'decay');
      return { ...span, own, runs: this.#bind(span, new Map([...this.#shared, ...own])) };
    });
  }

  static async open(engine: Engine, target: AdamWTarget): Promise<AdamW> {
    const { graph, outputs } = updateGraph();
    const { atOnce, threads } = overlap(engine, 2);
    return new AdamW(await compile(engine, graph, outputs, 'adamw', { threads }), target, atOnce);
  }

  /** Moves parameters and moments by the gradients of the buffer. */
  async step({ step, rateFactor, gradientScale }: AdamWStep): Promise<void> {
    const { betas, eps, weightDecay } = this.#target.options;
    const [b1, b2] = betas;
    // sqrt(v / (1-b2^t)) + eps = (sqrt(v) + eps * unbias) / unbias
    const unbias = Math.sqrt(1 - b2 ** step);
    set(this.#shared, {
      keepFirst: b1,
      keepSecond: b2,
      takeFirst: (1 - b1) * gradientScale,
      takeSecond: (1 - b2) * gradientScale ** 2,
      eps: eps * unbias,
    });
    for (const { peakRate, decayed, own } of this.#groups) {
      const rate = peakRate * rateFactor;
      set(own, { rate: (rate * unbias) / (1 - b1 ** step), decay: decayed ? rate * weightDecay : 0 });
    }
    const waiting = this.#groups.flatMap(({ runs }) => runs).values();
    // Two pieces side by side: threads within operators as quick as these mostly wait for one another.
    const worker = async () => {
      for (const run of waiting) await run.run();
    };
    await allEnded(Array.from({ length: this.#atOnce }, worker));
  }

  dispose(): void {
    for (const { runs } of this.#groups) for (const run of runs) run.release();
    this.#session.dispose();
  }

  #bind({ parameters, at, length }: Span, coefficients: ReadonlyMap<string, Tensor>): BoundRun[] {
    const { gradients, moments } = this.#target;
    return Array.from({ length: Math.ceil(length / PIECE) }, (_, i) => {
      const from = i * PIECE;
      const size = Math.min(PIECE, length - from);
      const view = ({ buffer, byteOffset }: Float32Array<ArrayBuffer>, start: number) =>
        tensor('float32', [size], new Float32Array(buffer, byteOffset + BYTES * (start + from), size));
      const [p, g] = [view(parameters, 0), view(gradients.flat, at)];
      const [m, v] = [view(moments.first, at), view(moments.second, at)];
      const feeds = new Map([...coefficients, ['p', p], ['g', g], ['m', m], ['v', v]] as const);
      const into = new Map([['p.next', p] as const, ['m.next', m] as const, ['v.next', v] as const]);
      return this.#session.bind(feeds, into);
    });
  }
}

/** Elements a run: enough for its call not to count, and few enough for what lies between to stay near the core. */
export const PIECE = 2 ** 18;
const BYTES = Float32Array.BYTES_PER_ELEMENT;

/** A stretch of parameters that lie side by side and share their coefficients. */
interface Span {
  /** The first of them. */
  readonly parameters: Float32Array<ArrayBuffer>;
  /** Where it begins in gradients and moments. */
  readonly at: number;
  length: number;
  readonly peakRate: number;
  readonly decayed: boolean;
}

interface Group extends Span {
  readonly own: ReadonlyMap<string, Tensor<'float32'>>;
  readonly runs: readonly BoundRun[];
}

function spansOf({ store, gradients, rateOf, ...target }: AdamWTarget): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const [path, { shape, data }] of gradients.tensors) {
    const parameters = (store.tensors.get(path) as Tensor<'float32'>).data;
    const [peakRate, decayed] = [rateOf(path), decays(shape) && (target.decays?.(path) ?? true)];
    const last = spans.at(-1);
    if (last && isFollowed(last, parameters) && last.peakRate === peakRate && last.decayed === decayed) {
      last.length += data.length;
    } else spans.push({ parameters, at, length: data.length, peakRate, decayed });
    at += data.length;
  }
  return spans;
}

function isFollowed({ parameters, length }: Span, next: Float32Array): boolean {
  return parameters.buffer === next.buffer && parameters.byteOffset + BYTES * length === next.byteOffset;
}

/** Every tensor is read by elementwise operators alone, the parameter last, so results may take their places. */
function updateGraph() {
  const graph = new Graph();
  const flat = (name: string) => graph.input(name, 'float32', ['N']);
  const [p, g, m, v] = [flat('p'), flat('g'), flat('m'), flat('v')];
  const scalar = (name: string) => graph.input(name, 'float32', []);
  const first = add(mul(m, scalar('keepFirst')), mul(g, scalar('takeFirst')));
  const second = add(mul(v, scalar('keepSecond')), mul(mul(g, scalar('takeSecond')), g));
  const pull = mul(div(first, add(sqrt(second), scalar('eps'))), scalar('rate'));
  const next = sub(p, add(pull, mul(p, scalar('decay'))));
  return {
    graph,
    outputs: new Map([['p.next', next] as const, ['m.next', first] as const, ['v.next', second] as const]),
  };
}

function scalars(...names: readonly string[]): Map<string, Tensor<'float32'>> {
  return new Map(names.map((name) => [name, zeros('float32', [])]));
}

function set(coefficients: ReadonlyMap<string, Tensor<'float32'>>, values: Readonly<Record<string, number>>): void {
  for (const [name, { data }] of coefficients) data[0] = values[name] as number;
}

/** Euclidean norm of a flat buffer, summed in double precision; four sums keep additions from waiting for one another. */
export function globalNorm(flat: Float32Array): number {
  const square = (i: number) => (flat[i] as number) * (flat[i] as number);
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = flat.length - (flat.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += square(i);
    b += square(i + 1);
    c += square(i + 2);
    d += square(i + 3);
  }
  for (let i = whole; i < flat.length; i++) a += square(i);
  return Math.sqrt(a + b + (c + d));
}

/** The factor of `torch.nn.utils.clip_grad_norm_`: `min(1, max / (norm + 1e-6))`; 1 when there is no limit. */
export function clipFactor(norm: number, limit: number | undefined): number {
  return limit === undefined ? 1 : Math.min(1, limit / (norm + 1e-6));
}
