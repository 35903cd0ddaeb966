import type { Fault, Named, Tensor } from '../base/index.ts';
import {
  batchSizes,
  collate,
  type Example,
  joinMedia,
  type MediaLoader,
  type MediaPlan,
  type MediaSpan,
  type Processor,
  type Sequence,
} from '../data/index.ts';

/** A medium of a prompt, read. */
export interface PromptMedia extends Pick<MediaSpan, 'input' | 'start' | 'tokens'> {
  readonly plan: Pick<MediaPlan, 'slots' | 'sizes'>;
  readonly values: Named<Tensor>;
}

/** A sequence as a model reads it. */
export interface Prompt extends Sequence {
  /** Token ids; a medium takes as many of them as its plan says. */
  readonly ids: ArrayLike<number>;
  readonly media?: readonly PromptMedia[] | undefined;
}

/** A prompt with tokens of its answer behind it. */
export function withAnswer<T extends Prompt>(prompt: T, answer: ArrayLike<number>): T {
  return { ...prompt, ids: [...Array.from(prompt.ids), ...Array.from(answer)] };
}

/** Everything wrong with a prompt for a model. */
export function promptFaults(
  { processor, vocabSize }: { readonly processor: Processor; readonly vocabSize: number },
  prompt: Prompt,
  path: string,
): Fault[] {
  const { ids, texts = {}, media = [] } = prompt;
  const faults: Fault[] = [];
  const fault = (message: string, expected: string, got: string) =>
    faults.push({ code: 'generate/prompt', message, path, expected, got });
  const odd = Array.from(ids).find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (ids.length === 0) fault('the prompt is empty', 'at least one token', 'none');
  if (odd !== undefined) fault('the vocabulary has no such id', `0 to ${vocabSize - 1}`, `${odd}`);
  if (media.length > 0 && !processor.plan) fault('the model takes no images', 'text alone', `${media.length}`);
  for (const { input, start, tokens, values } of media) {
    const length = input === 'ids' ? ids.length : (texts[input]?.length ?? 0);
    if (start < 0 || start + tokens > length) {
      fault('an image stands outside the prompt', `within ${length} tokens`, `${start}..${start + tokens}`);
    }
    for (const [name, value] of Object.entries(values)) {
      const wanted = processor.inputs[name]?.shape.slice(1) ?? [];
      const fits = wanted.every((d, i) => typeof d !== 'number' || d === value.shape[i + 1]);
      if (!fits) fault('an image is not prepared for the model', `${name} of ${wanted}`, `${value.shape.slice(1)}`);
    }
  }
  return faults;
}

/** An example with its media read. */
export async function promptOf(
  { ids, texts, media }: Pick<Example, 'ids' | 'texts' | 'media'>,
  loader: MediaLoader,
): Promise<Prompt> {
  if (media.length === 0) return { ids, texts };
  const values = await loader.load(media);
  return { ids, texts, media: media.map((span, i) => ({ ...span, values: values[i] as Named<Tensor> })) };
}

/**
 * Prompts that `promptFaults` has passed as feeds, padded on the right.
 * @param sizes to which texts besides `ids` are padded, by the name of the size; to the longest here without one
 */
export function stackPrompts(
  prompts: readonly Prompt[],
  processor: Processor,
  sizes: ReadonlyMap<string, number> = new Map(),
): Map<string, Tensor> {
  const read = prompts.map(({ media = [] }) => media.map(({ values }) => values));
  return new Map([...collate(prompts, processor, 0, sizes), ...joinMedia(read, processor)]);
}

/** Padded inputs of another length than `ids`, with the name of that length. */
function otherTexts({ inputs }: Processor): [string, string][] {
  return Object.entries(inputs).flatMap(([name, { join, shape }]) =>
    join === 'pad' && shape[1] !== inputs.ids?.shape[1] ? [[name, String(shape[1])] as [string, string]] : [],
  );
}

/** The longest of each text besides `ids`, by the name of its length. */
export function textSizes(prompts: readonly Prompt[], processor: Processor): Map<string, number> {
  const sizes = prompts.map((prompt) => batchSizes([prompt], processor).sizes);
  const longest = (dim: string) => Math.max(1, ...sizes.map((of) => of.get(dim) ?? 0));
  return new Map(otherTexts(processor).map(([, dim]) => [dim, longest(dim)]));
}

/** Consecutive items whose padded grids hold at most `tokens` tokens; one alone may hold more. */
export function groupByTokens<T extends Prompt>(prompts: readonly T[], tokens: number): T[][] {
  const groups: T[][] = [];
  let longest = 0;
  for (const prompt of prompts) {
    const open = groups.at(-1);
    longest = Math.max(longest, lengthOf(prompt));
    if (open && (open.length + 1) * longest <= tokens) {
      open.push(prompt);
      continue;
    }
    groups.push([prompt]);
    longest = lengthOf(prompt);
  }
  return groups;
}

function lengthOf({ ids, texts = {} }: Prompt): number {
  return Math.max(ids.length, ...Object.values(texts).map(({ length }) => length));
}
