import { type Dim, formatShape, type Shape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Op, type Spec, sameDtype, shapeFault } from '../op.ts';
import { matmul } from './matmul.ts';
import { reduceSum } from './reduce.ts';
import { concat, pad, reshape, slice } from './shape-ops.ts';

type Pair = readonly [number, number];

/** Geometry of a 2-D convolution; `padding` is symmetric. */
export interface ConvOptions {
  readonly stride?: number | Pair;
  readonly padding?: number | Pair;
  readonly dilation?: number | Pair;
  readonly groups?: number;
}

interface ConvAttrs {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

interface ConvTransposeAttrs extends ConvAttrs {
  readonly outputPadding: Pair;
}

const toPair = (v: number | Pair | undefined, fallback: number): Pair =>
  v === undefined ? [fallback, fallback] : typeof v === 'number' ? [v, v] : v;

function geometry(options: ConvOptions): ConvAttrs {
  return {
    stride: toPair(options.stride, 1),
    padding: toPair(options.padding, 0),
    dilation: toPair(options.dilation, 1),
    groups: options.groups ?? 1,
  };
}

const onnxAttributes = ({ stride, padding, dilation, groups }: ConvAttrs) => ({
  strides: stride,
  pads: [...padding, ...padding],
  dilations: dilation,
  group: groups,
});

/** Height and width of images `[N, C, H, W]`. */
export function spatial(x: Spec): Pair {
  const [h, w] = x.shape.slice(2);
  if (x.shape.length !== 4 || typeof h !== 'number' || typeof w !== 'number') {
    throw shapeFault('needs [N, C, H, W] with known H and W', { got: formatShape(x.shape) });
  }
  return [h, w];
}

const both = (f: (i: 0 | 1) => number): Pair => [f(0), f(1)];

const convOp: Op<ConvAttrs, [Value, Value]> = {
  name: 'Conv',
  infer([x, w], { stride, padding, dilation, groups }) {
    const size = spatial(x);
    const kernel = spatial(w);
    const channels = w.shape[1];
    if (typeof channels === 'number' && typeof x.shape[1] === 'number' && channels * groups !== x.shape[1]) {
      throw shapeFault('channels differ', { expected: `${channels * groups}`, got: `${x.shape[1]}` });
    }
    const out = both((i) => Math.floor((size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1);
    if (out.some((n) => n < 1)) {
      throw shapeFault('the kernel is larger than the image', { expected: `at most ${size}`, got: `${kernel}` });
    }
    return { shape: [x.shape[0], w.shape[0], ...out] as Shape, dtype: sameDtype([x, w]) };
  },
  gradient({ inputs: [x, w], cotangents: [dy], attrs, wanted }) {
    const dx = () => {
      const [out, kernel, size] = [spatial(dy), spatial(w), spatial(x)];
      const { stride, padding, dilation } = attrs;
      const reached = both((i) => (out[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1);
      return apply(convTransposeOp, dy, w, { ...attrs, outputPadding: both((i) => size[i] - reached[i]) });
    };
    return [wanted[0] ? dx() : undefined, wanted[1] ? kernelGradient(x, dy, w.shape, attrs) : undefined];
  },
  emit: (e, x, attrs) => e.node('Conv', x, onnxAttributes(attrs)),
};

/**
 * `dW[o, c, k] = sum over n, p of dy[n, o, p] x[n, c, p*stride + k*dilation]`: a product of matrices for each place k of the
 * kernel. As a convolution whose filters are as large as images it takes several times as long.
 */
function kernelGradient(x: Value, dy: Value, shape: Shape, { stride, padding, dilation, groups }: ConvAttrs): Value {
  const [kernel, out, size] = [both((i) => shape[i + 2] as number), spatial(dy), spatial(x)];
  const [n, width] = [x.shape[0] as Dim, shape[1] as number];
  // Columns of one step more than are read, so that each step is whole.
  const more = both((i) => Math.max(0, (kernel[i] - 1) * dilation[i] + out[i] * stride[i] - size[i] - padding[i]));
  const framed = pad(pad(x, 2, padding[0], more[0]), 3, padding[1], more[1]);
  const flat = (v: Value, channels: number) => reshape(v, [n, groups, channels, out[0] * out[1]]);
  const changes = flat(dy, (shape[0] as number) / groups);
  const places = Array.from({ length: kernel[0] * kernel[1] }, (_, at) => {
    const [i, j] = [Math.floor(at / kernel[1]) * dilation[0], (at % kernel[1]) * dilation[1]];
    const seen = steps(steps(framed, 2, i, out[0], stride[0]), 3, j, out[1], stride[1]);
    const each = matmul(changes, flat(seen, width), { transB: true });
    return reshape(reduceSum(each, [0]), [shape[0] as number, width, 1]);
  });
  return reshape(concat(places, 2), shape);
}

/** Every `step`-th of an axis from `start` on, `count` of them. */
function steps(x: Value, axis: number, start: number, count: number, step: number): Value {
  const part = slice(x, axis, start, start + count * step);
  if (step === 1) return part;
  const first = slice(
    reshape(part, [...x.shape.slice(0, axis), count, step, ...x.shape.slice(axis + 1)]),
    axis + 1,
    0,
    1,
  );
  return reshape(first, x.shape.with(axis, count));
}

const convTransposeOp: Op<ConvTransposeAttrs, [Value, Value]> = {
  name: 'ConvTranspose',
  infer([x, w], { stride, padding, dilation, groups, outputPadding }) {
    const [size, kernel] = [spatial(x), spatial(w)];
    if (x.shape[1] !== w.shape[0]) {
      throw shapeFault('channels differ', { expected: `${w.shape[0]}`, got: `${x.shape[1]}` });
    }
    const out = both(
      (i) => (size[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1 + outputPadding[i],
    );
    return { shape: [x.shape[0], (w.shape[1] as number) * groups, ...out] as Shape, dtype: sameDtype([x, w]) };
  },
  gradient({ inputs: [x, w], cotangents: [dy], attrs, wanted }) {
    return [
      wanted[0] ? conv2d(dy, w, attrs) : undefined,
      // The roles of input and output are exchanged against a convolution.
      wanted[1] ? kernelGradient(dy, x, w.shape, attrs) : undefined,
    ];
  },
  emit: (e, x, attrs) => e.node('ConvTranspose', x, { ...onnxAttributes(attrs), output_padding: attrs.outputPadding }),
};

function apply<A>(op: Op<A, [Value, Value]>, x: Value, w: Value, attrs: A): Value {
  return x.node.graph.apply(op, [x, w], attrs);
}

/** 2-D convolution of `x [N, C, H, W]` with `w [O, C/groups, kh, kw]`; H and W are known numbers. */
export function conv2d(x: Value, w: Value, options: ConvOptions = {}): Value {
  return apply(convOp, x, w, geometry(options));
}

/** Transposed 2-D convolution of `x [N, C, H, W]` with `w [C, O/groups, kh, kw]`. */
export function convTranspose2d(
  x: Value,
  w: Value,
  options: ConvOptions & { outputPadding?: number | Pair } = {},
): Value {
  return apply(convTransposeOp, x, w, { ...geometry(options), outputPadding: toPair(options.outputPadding, 0) });
}
