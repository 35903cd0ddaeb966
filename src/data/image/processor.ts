import type { Tensor } from '../../base/index.ts';
import { TesseraError, tensor } from '../../base/index.ts';
import type { ResampleFilter } from './resample.ts';
import { resample } from './resample.ts';
import type { RgbImage, Size, Window } from './rgb.ts';
import { checkSize, filled, paste } from './rgb.ts';

type Triple = readonly [number, number, number];

/** How a vision tower wants its images; the steps happen in the order of the fields. */
export interface ImageProcessor {
  /** Pad to a square with the mean colour, the image in the middle (LLaVA-1.5's `expand2square`). */
  readonly padToSquare: boolean;
  /** `short`: the short side becomes that long and the aspect stays. `exact`: both sides as given. */
  readonly resize: { readonly short: number } | { readonly exact: Size } | undefined;
  readonly filter: ResampleFilter;
  /** Cut this much from the middle; where the image is smaller, black is added. */
  readonly crop: Size | undefined;
  /** Factor on the 8-bit values. */
  readonly rescale: number | undefined;
  readonly normalize: { readonly mean: Triple; readonly std: Triple } | undefined;
}

const CLIP_MEAN: Triple = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: Triple = [0.26862954, 0.26130258, 0.27577711];
const HALF: Triple = [0.5, 0.5, 0.5];

/** CLIP's own: short side to `side`, then the middle square. */
export function clipCrop(side: number): ImageProcessor {
  return { ...clipSquash(side), resize: { short: side }, crop: { width: side, height: side } };
}

/** LLaVA-1.5's second stage: padded to a square with the mean colour, then as `clipCrop`. */
export function clipPad(side: number): ImageProcessor {
  return { ...clipCrop(side), padToSquare: true };
}

/** Resized to a square whatever the aspect, with CLIP's statistics (Ferret, Qwen-VL). */
export function clipSquash(side: number): ImageProcessor {
  return {
    padToSquare: false,
    resize: { exact: { width: side, height: side } },
    filter: 'bicubic',
    crop: undefined,
    rescale: 1 / 255,
    normalize: { mean: CLIP_MEAN, std: CLIP_STD },
  };
}

/** SigLIP's: resized to exactly this size, scaled to -1..1. */
export function siglip(size: Size): ImageProcessor {
  return { ...clipSquash(1), resize: { exact: size }, normalize: { mean: HALF, std: HALF } };
}

/** Chameleon's: as `clipCrop` with a filter of its own, scaled to -1..1. */
export function lanczosCrop(side: number): ImageProcessor {
  return { ...clipCrop(side), filter: 'lanczos', normalize: { mean: HALF, std: HALF } };
}

/** One step on pixels; a crop's window may reach outside the image, where it is black. */
export type ImageStep =
  | { readonly op: 'pad'; readonly size: Size; readonly left: number; readonly top: number; readonly colour: Triple }
  | { readonly op: 'resize'; readonly size: Size; readonly filter: ResampleFilter }
  | { readonly op: 'crop'; readonly window: Window };

/** What a processor does to images of one size, and how large the result is. */
export interface ImagePlan {
  readonly source: Size;
  readonly steps: readonly ImageStep[];
  /** Size of the result, in pixels. */
  readonly output: Size;
}

/**
 * The geometry of a processor for an image of this size; pixels are not needed.
 *
 * The long side of a resized image is `trunc(side * long / short)` (transformers 4.57 and 5.x,
 * `get_resize_output_image_size`); torchvision and OpenCV round otherwise.
 *
 * @throws TesseraError `image/size`
 */
export function planImage(source: Size, processor: ImageProcessor): ImagePlan {
  checkSize(source);
  const steps: ImageStep[] = [];
  let size: Size = { width: source.width, height: source.height };
  if (processor.padToSquare && size.width !== size.height) {
    const step = squarePad(size, processor);
    steps.push(step);
    size = step.size;
  }
  if (processor.resize) {
    size = resizedSize(size, processor.resize);
    steps.push({ op: 'resize', size, filter: processor.filter });
  }
  if (processor.crop) {
    steps.push({ op: 'crop', window: centreWindow(size, processor.crop) });
    size = processor.crop;
  }
  const laidOut = steps.filter((step, i) => step.op !== 'resize' || steps[i + 1]?.op !== 'crop');
  for (const step of laidOut) checkArea(step.op === 'crop' ? step.window : step.size, source);
  return { source, steps, output: { width: size.width, height: size.height } };
}

/** Largest image that a step may lay out, in pixels. */
const largestArea = 100_000_000;

function checkArea({ width, height }: Size, source: Size): void {
  if (width * height <= largestArea) return;
  throw new TesseraError({
    code: 'image/shape',
    message: 'the image is too long and thin to be prepared',
    expected: `at most ${largestArea} pixels after padding and resizing`,
    got: `${source.width}x${source.height} would become ${width}x${height}`,
    remedy: 'cut the image to a more usual shape',
  });
}

function squarePad({ width, height }: Size, { normalize }: ImageProcessor): ImageStep & { op: 'pad' } {
  const side = Math.max(width, height);
  const [r, g, b] = normalize?.mean ?? [0, 0, 0];
  return {
    op: 'pad',
    size: { width: side, height: side },
    left: Math.floor((side - width) / 2),
    top: Math.floor((side - height) / 2),
    colour: [Math.trunc(r * 255), Math.trunc(g * 255), Math.trunc(b * 255)],
  };
}

function resizedSize({ width, height }: Size, target: NonNullable<ImageProcessor['resize']>): Size {
  if ('exact' in target) return { width: target.exact.width, height: target.exact.height };
  const long = Math.trunc((target.short * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: target.short, height: long } : { width: long, height: target.short };
}

/** Where a centred crop starts: the floor of half the surplus, or the negative ceiling of half of what is lacking. */
function centreWindow(size: Size, crop: Size): Window {
  const start = (have: number, want: number) => Math.floor((have - want) / 2);
  return { left: start(size.width, crop.width), top: start(size.height, crop.height), ...crop };
}

/**
 * The values a vision tower gets for an image: float32 `[3, H, W]`, equal to the processors of transformers that work
 * on Pillow.
 *
 * @param plan of `planImage` for this image's size and the same processor
 * @throws TesseraError `image/plan` when the plan is for another size
 */
export function processImage(
  image: RgbImage,
  processor: ImageProcessor,
  plan: ImagePlan = planImage(image, processor),
): Tensor<'float32'> {
  if (plan.source.width !== image.width || plan.source.height !== image.height) {
    throw new TesseraError({
      code: 'image/plan',
      message: 'the plan was made for an image of another size',
      expected: `${plan.source.width}x${plan.source.height}`,
      got: `${image.width}x${image.height}`,
    });
  }
  const bytes = applySteps(image, plan.steps);
  return tensor('float32', [3, bytes.height, bytes.width], toChannels(bytes, processor));
}

/** Applies the steps of a plan to 8-bit pixels. */
function applySteps(image: RgbImage, steps: readonly ImageStep[]): RgbImage {
  let current = image;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as ImageStep;
    const next = steps[i + 1];
    if (step.op === 'resize' && next?.op === 'crop') {
      current = resizeAndCrop(current, step.size, step.filter, next.window);
      i++;
    } else current = applyStep(current, step);
  }
  return current;
}

function applyStep(image: RgbImage, step: ImageStep): RgbImage {
  switch (step.op) {
    case 'pad': {
      const square = filled(step.size, step.colour);
      paste(square, image, step.left, step.top);
      return square;
    }
    case 'resize':
      return resample(image, step.size, step.filter);
    case 'crop':
      return resizeAndCrop(image, image, 'nearest', step.window);
  }
}

/** Computes only the pixels that the crop keeps: a 1x1000 strip would otherwise be resized to 336x336000 first. */
function resizeAndCrop(image: RgbImage, size: Size, filter: ResampleFilter, window: Window): RgbImage {
  const left = Math.max(0, window.left);
  const top = Math.max(0, window.top);
  const width = Math.min(size.width, window.left + window.width) - left;
  const height = Math.min(size.height, window.top + window.height) - top;
  const kept = resample(image, size, filter, { left, top, width, height });
  if (width === window.width && height === window.height) return kept;
  const out = filled({ width: window.width, height: window.height }, [0, 0, 0]);
  paste(out, kept, left - window.left, top - window.top);
  return out;
}

/** `(value * rescale - mean) / std`, channels first, each operation rounded to float32 as numpy does. */
function toChannels(image: RgbImage, { rescale, normalize }: ImageProcessor): Float32Array<ArrayBuffer> {
  const plane = image.width * image.height;
  const out = new Float32Array(plane * 3);
  for (let c = 0; c < 3; c++) {
    const table = Float32Array.from({ length: 256 }, (_, value) => {
      const scaled = Math.fround(value * (rescale ?? 1));
      if (!normalize) return scaled;
      const centred = Math.fround(scaled - Math.fround(normalize.mean[c] as number));
      return centred / Math.fround(normalize.std[c] as number);
    });
    for (let i = 0; i < plane; i++) out[c * plane + i] = table[image.data[i * 3 + c] as number] as number;
  }
  return out;
}
