import { type Tensor, tensor } from '../base/index.ts';
import { add, Graph } from '../graph/index.ts';
import type { ParameterStore } from '../nn/index.ts';
import { compile, type Engine, type Session } from '../runtime/index.ts';

/** One flat buffer of gradients, a view a trainable parameter. */
export interface GradientBuffer {
  readonly flat: Float32Array<ArrayBuffer>;
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
}

/** Lays gradients of the chosen parameters out in store order. */
export function allocateGradients(store: ParameterStore, trainable: (path: string) => boolean): GradientBuffer {
  const chosen = [...store.tensors].filter(([path]) => trainable(path));
  const flat = new Float32Array(chosen.reduce((n, [, t]) => n + t.data.length, 0));
  const tensors = new Map<string, Tensor<'float32'>>();
  let at = 0;
  for (const [path, { shape, data }] of chosen) {
    tensors.set(path, { dtype: 'float32', shape, data: flat.subarray(at, at + data.length) });
    at += data.length;
  }
  return { flat, tensors };
}

/** Adds gradients up, in place: `sum += part` element by element, so that threads change no bit. */
export class GradientSum {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async open(engine: Engine): Promise<GradientSum> {
    const graph = new Graph();
    const sum = add(graph.input('sum', 'float32', ['N']), graph.input('part', 'float32', ['N']));
    return new GradientSum(await compile(engine, graph, new Map([['sum.next', sum]]), 'gradient-sum'));
  }

  async add(sum: GradientBuffer, part: GradientBuffer): Promise<void> {
    const whole = ({ flat }: GradientBuffer) => tensor('float32', [flat.length], flat);
    const feeds = new Map([
      ['sum', whole(sum)],
      ['part', whole(part)],
    ]);
    await this.#session.run(feeds, { into: new Map([['sum.next', whole(sum)]]), fetch: [] });
  }

  dispose(): void {
    this.#session.dispose();
  }
}
