import { TesseraError } from '../../base/index.ts';
import type { RgbImage, Size, Window } from './rgb.ts';
import { checkSize, cut } from './rgb.ts';

/** Resampling filters under PIL's names. */
export type ResampleFilter = 'nearest' | 'lanczos' | 'bilinear' | 'bicubic' | 'box' | 'hamming';

interface Kernel {
  /** Half width in source pixels at scale 1. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const kernels: { readonly [F in Exclude<ResampleFilter, 'nearest'>]: Kernel } = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))),
  },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic convolution with a = -0.5. */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

/** Weights are integers with this many fraction bits: 32 less 8 for the pixel, less 2 for the sum's head room. */
const FRACTION_BITS = 22;

/** For each output position: where its source run starts, how long it is, and its integer weights. */
interface Taps {
  readonly start: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  /** Weights reserved for each output position. */
  readonly stride: number;
}

/**
 * Weights for output positions `first .. first + length` of an axis resized from `source` to `target` samples.
 * When shrinking, the kernel is widened by the scale, so every source sample counts (antialiasing).
 */
function taps(source: number, target: number, kernel: Kernel, first: number, length: number): Taps {
  const scale = source / target;
  const widening = Math.max(scale, 1);
  const support = kernel.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < length; i++) {
    const center = (first + i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(source, Math.trunc(center + support + 0.5));
    let total = 0;
    for (let s = low; s < high; s++) {
      const w = kernel.weight((s - center + 0.5) * (1 / widening));
      exact[s - low] = w;
      total += w;
    }
    start[i] = low;
    count[i] = high - low;
    for (let k = 0; k < high - low; k++) {
      const w = (exact[k] as number) / (total === 0 ? 1 : total);
      weights[i * stride + k] = Math.trunc(w * 2 ** FRACTION_BITS + (w < 0 ? -0.5 : 0.5));
    }
  }
  return { start, count, weights, stride };
}

/**
 * Resizes exactly as the `Image.resize` of Pillow 13 does for 8-bit RGB: separable, integer weights, and a rounding to
 * 8 bits after each pass.
 *
 * @param window the part of the resized image to compute (all of it when absent); must lie inside `size`
 * @returns an image of the window's size
 * @throws TesseraError `image/size`, `image/window`
 */
export function resample(image: RgbImage, size: Size, filter: ResampleFilter, window?: Window): RgbImage {
  checkSize(size);
  const part = window ?? { left: 0, top: 0, ...size };
  checkWindow(part, size);
  if (filter === 'nearest') return nearestNeighbour(image, size, part);
  const kernel = kernels[filter];
  const columns = size.width === image.width ? undefined : taps(image.width, size.width, kernel, part.left, part.width);
  const rows =
    size.height === image.height ? undefined : taps(image.height, size.height, kernel, part.top, part.height);
  const [left, right] = columns ? samplesRead(columns) : [part.left, part.left + part.width];
  const [top, bottom] = rows ? samplesRead(rows) : [part.top, part.top + part.height];
  const source = cut(image, { left, top, width: right - left, height: bottom - top });
  const acrossColumns = (image: RgbImage) => (columns ? alongRows(image, columns, part.width, left) : image);
  const acrossRows = (image: RgbImage) => (rows ? alongColumns(image, rows, part.height, top) : image);
  return verticalFirst(image, size) ? acrossColumns(acrossRows(source)) : acrossRows(acrossColumns(source));
}

/**
 * Whether the vertical pass comes first: when the height loses more than twice the pixels the width loses. Pillow 12
 * and older always began with the horizontal pass; on images with hard edges the two orders differ visibly, because
 * the first pass clamps its overshoot.
 */
function verticalFirst(source: Size, target: Size): boolean {
  const lost = source.height - target.height;
  return lost > 0 && lost > 2 * (source.width - target.width);
}

function checkWindow(window: Window, size: Size): void {
  checkSize(window);
  const { left, top, width, height } = window;
  if (left >= 0 && top >= 0 && left + width <= size.width && top + height <= size.height) return;
  throw new TesseraError({
    code: 'image/window',
    message: 'the window reaches outside the resized image',
    expected: `a window inside ${size.width}x${size.height}`,
    got: `${width}x${height} at ${left},${top}`,
  });
}

/** First source sample read, and the one after the last. */
function samplesRead({ start, count }: Taps): [number, number] {
  const last = start.length - 1;
  return [start[0] as number, (start[last] as number) + (count[last] as number)];
}

const HALF = 2 ** (FRACTION_BITS - 1);

/** Drops the fraction bits of a 32-bit sum and clamps to a byte. */
function toByte(sum: number): number {
  return Math.max(0, Math.min(255, sum >> FRACTION_BITS));
}

/** `image` holds the source columns from `firstColumn` on. */
function alongRows(image: RgbImage, t: Taps, width: number, firstColumn: number): RgbImage {
  const { start, count, weights, stride } = t;
  const source = image.data;
  const data = new Uint8Array(width * image.height * 3);
  let out = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width - firstColumn;
    for (let x = 0; x < width; x++) {
      let at = (row + (start[x] as number)) * 3;
      const first = x * stride;
      const last = first + (count[x] as number);
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (let k = first; k < last; k++, at += 3) {
        const w = weights[k] as number;
        r = (r + Math.imul(source[at] as number, w)) | 0;
        g = (g + Math.imul(source[at + 1] as number, w)) | 0;
        b = (b + Math.imul(source[at + 2] as number, w)) | 0;
      }
      data[out++] = toByte(r);
      data[out++] = toByte(g);
      data[out++] = toByte(b);
    }
  }
  return { width, height: image.height, data };
}

/** `image` holds the source rows from `firstRow` on. */
function alongColumns(image: RgbImage, t: Taps, height: number, firstRow: number): RgbImage {
  const { start, count, weights, stride } = t;
  const source = image.data;
  const line = image.width * 3;
  const data = new Uint8Array(line * height);
  const sums = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (count[y] as number); k++) {
      const w = weights[y * stride + k] as number;
      const at = ((start[y] as number) + k - firstRow) * line;
      for (let i = 0; i < line; i++) sums[i] = (sums[i] as number) + Math.imul(source[at + i] as number, w);
    }
    for (let i = 0; i < line; i++) data[y * line + i] = toByte(sums[i] as number);
  }
  return { width: image.width, height, data };
}

/** Source index of every output index; the position is summed up step by step, as PIL does, so that ties fall alike. */
function nearestIndices(source: number, target: number): Int32Array {
  const step = source / target;
  let position = step * 0.5;
  return Int32Array.from({ length: target }, () => {
    const index = Math.min(source - 1, Math.trunc(position));
    position += step;
    return index;
  });
}

function nearestNeighbour(image: RgbImage, size: Size, part: Window): RgbImage {
  const columns = nearestIndices(image.width, size.width);
  const rows = nearestIndices(image.height, size.height);
  const data = new Uint8Array(part.width * part.height * 3);
  let out = 0;
  for (let y = 0; y < part.height; y++) {
    const row = (rows[part.top + y] as number) * image.width;
    for (let x = 0; x < part.width; x++) {
      const at = (row + (columns[part.left + x] as number)) * 3;
      data[out++] = image.data[at] as number;
      data[out++] = image.data[at + 1] as number;
      data[out++] = image.data[at + 2] as number;
    }
  }
  return { width: part.width, height: part.height, data };
}
