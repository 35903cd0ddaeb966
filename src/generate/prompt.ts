import { type Fault, int32, sameShape, type Tensor, zeros } from '../base/index.ts';
import type { CausalModel } from '../models/index.ts';

/** A sequence as a model reads it. */
export interface Prompt {
  /** Token ids; a picture takes as many of them as the model gives it rows. */
  readonly ids: ArrayLike<number>;
  /** Where the pictures stand, in reading order. */
  readonly images?: readonly { readonly start: number; readonly tokens: number }[];
  /** Those pictures, `[N, 3, H, W]`. */
  readonly pixels?: Tensor<'float32'>;
}

/** What a graph must know of the pictures that it takes. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
  /** Rows a picture takes in the sequence. */
  readonly rows: number;
}

/** Prompts as feeds, padded on the right: B prompts, T the longest, N pictures of P rows. */
export interface PromptBatch {
  /** `[B, T]`. */
  readonly ids: Tensor<'int32'>;
  readonly lengths: readonly number[];
  readonly pictures?: {
    readonly size: PictureSize;
    /** `[N, 3, H, W]`. */
    readonly pixels: Tensor<'float32'>;
    /** `[N*P]` flat rows of the `[B*T]` grid. */
    readonly imageRows: Tensor<'int32'>;
  };
}

/** Everything wrong with a prompt for a model. */
export function promptFaults(model: CausalModel, prompt: Prompt, path: string): Fault[] {
  const { ids, images = [], pixels } = prompt;
  const faults: Fault[] = [];
  const fault = (message: string, expected: string, got: string) =>
    faults.push({ code: 'generate/prompt', message, path, expected, got });
  const odd = Array.from(ids).find((id) => !Number.isInteger(id) || id < 0 || id >= model.vocabSize);
  if (ids.length === 0) fault('the prompt is empty', 'at least one token', 'none');
  if (odd !== undefined) fault('the vocabulary has no such id', `0 to ${model.vocabSize - 1}`, `${odd}`);
  const shown = pixels?.shape[0] ?? 0;
  if (shown !== images.length) fault('pixels and picture slots differ', `${images.length} pictures`, `${shown}`);
  if (images.length > 0 && !model.picture) fault('the model takes no pictures', 'text alone', `${images.length}`);
  const first = images[0];
  for (const { start, tokens } of images) {
    if (start < 0 || start + tokens > ids.length) {
      fault('a picture stands outside the prompt', `within ${ids.length} tokens`, `${start}..${start + tokens}`);
    }
    if (tokens !== first?.tokens) fault('pictures take unequal rows', `${first?.tokens} rows`, `${tokens}`);
  }
  return faults;
}

/** What is wrong with prompts together: a batch has pictures of one size. */
export function pictureSizeFaults(prompts: readonly Prompt[]): Fault[] {
  const shape = prompts.find(hasPictures)?.pixels?.shape.slice(1) ?? [];
  return prompts.flatMap((prompt, i) => {
    const own = prompt.pixels?.shape.slice(1) ?? shape;
    if (!hasPictures(prompt) || sameShape(own, shape)) return [];
    const message = 'pictures of one batch have different sizes';
    return [{ code: 'generate/prompt', message, path: `request ${i}`, expected: `${shape}`, got: `${own}` }];
  });
}

function hasPictures(prompt: Prompt): boolean {
  return (prompt.images?.length ?? 0) > 0;
}

/** Stacks prompts that `promptFaults` has passed. */
export function stackPrompts(prompts: readonly Prompt[]): PromptBatch {
  const lengths = prompts.map(({ ids }) => ids.length);
  const width = Math.max(...lengths);
  const ids = zeros('int32', [prompts.length, width]);
  prompts.forEach((prompt, row) => {
    ids.data.set(prompt.ids, row * width);
  });
  const shown = prompts.filter(hasPictures);
  if (shown.length === 0) return { ids, lengths };
  const pixels = joinPixels(shown.map((prompt) => prompt.pixels as Tensor<'float32'>));
  const size = {
    height: pixels.shape[2] as number,
    width: pixels.shape[3] as number,
    rows: shown[0]?.images?.[0]?.tokens as number,
  };
  return { ids, lengths, pictures: { size, pixels, imageRows: imageRows(prompts, width) } };
}

function imageRows(prompts: readonly Prompt[], width: number): Tensor<'int32'> {
  const rows = prompts.flatMap(({ images = [] }, b) =>
    images.flatMap(({ start, tokens }) => Array.from({ length: tokens }, (_, k) => b * width + start + k)),
  );
  return int32([rows.length], rows);
}

function joinPixels(parts: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const data = new Float32Array(parts.reduce((n, part) => n + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const count = parts.reduce((n, part) => n + (part.shape[0] as number), 0);
  return { dtype: 'float32', shape: [count, ...(first as Tensor).shape.slice(1)], data };
}

/** Consecutive items whose padded grids hold at most `tokens` tokens; one alone may hold more. */
export function groupByTokens<T extends Prompt>(prompts: readonly T[], tokens: number): T[][] {
  const groups: T[][] = [];
  let longest = 0;
  for (const prompt of prompts) {
    const open = groups.at(-1);
    longest = Math.max(longest, prompt.ids.length);
    if (open && (open.length + 1) * longest <= tokens) {
      open.push(prompt);
      continue;
    }
    groups.push([prompt]);
    longest = prompt.ids.length;
  }
  return groups;
}
