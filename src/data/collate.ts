import { type Dim, type Named, type Tensor, TesseraError, tensor } from '../base/index.ts';
import { type Input, inputShape } from './input.ts';
import type { MediaOnce } from './media-once.ts';
import type { Processor, Sequence } from './processor.ts';

/** Values that the media of a sequence were read as, in their order. */
export type ReadMedia = readonly Named<Tensor>[];

/**
 * Sequences as the feeds of a model, all but what is read from media. Inputs that no sequence brings anything to are left
 * out.
 * @param padId what texts are filled up with
 * @param least sizes that padded inputs have at least, by the name of their length; those that nothing is brought to stay out
 */
export function collate(
  sequences: readonly Sequence[],
  processor: Processor,
  padId: number,
  least: ReadonlyMap<Dim, number> = new Map(),
): Map<string, Tensor> {
  const own = sequences.map((sequence) => processor.row?.(sequence) ?? {});
  const widths = new Map<string, number>();
  const feeds = new Map<string, Tensor>();
  for (const [name, input] of Object.entries(processor.inputs)) {
    const rows = sequences.map((sequence, b) => textOf(sequence, name) ?? own[b]?.[name]);
    if (input.join === 'pad') {
      const longest = rows.reduce((most, row) => Math.max(most, row?.length ?? 0), 0);
      const width = longest > 0 ? Math.max(longest, least.get(input.shape[1] as Dim) ?? 0) : 0;
      widths.set(name, width);
      // What a row tells besides its texts is padded with zeros.
      const isText = sequences.some((sequence) => textOf(sequence, name) !== undefined);
      if (width > 0) feeds.set(name, padded(input, rows, width, isText ? padId : 0));
    } else if (input.join === 'row' && rows.some((row) => row !== undefined)) {
      feeds.set(name, stacked(input, rows));
    } else if (input.join === 'slots') {
      const places = sequences.map((sequence, b) => [...(own[b]?.[name] ?? []), ...slotsOf(sequence, name, input.of)]);
      const width = widths.get(input.of) ?? 0;
      const flat = places.flatMap((row, b) => row.map((place) => b * width + place));
      if (flat.length > 0) feeds.set(name, column(input, [flat.length], flat));
    } else if (input.join === 'index' && rows.some((row) => row !== undefined)) {
      const flat = rows.flatMap((row, b) => Array.from(row ?? [], (i) => (input.into === 'B' ? b : 0) + i));
      feeds.set(name, column(input, [flat.length], flat));
    }
  }
  return feeds;
}

function textOf(sequence: Sequence, name: string): ArrayLike<number> | undefined {
  return name === 'ids' ? sequence.ids : sequence.texts?.[name];
}

function slotsOf({ media = [] }: Sequence, name: string, of: string): number[] {
  return media.flatMap(({ input, start, plan }) =>
    input === of ? (plan.slots[name] ?? []).map((place) => start + place) : [],
  );
}

function padded(input: Input, rows: readonly (ArrayLike<number> | undefined)[], width: number, padId: number): Tensor {
  const filled = column(input, [rows.length, width, ...(input.shape.slice(2) as number[])], []);
  filled.data.fill(padId);
  rows.forEach((row, b) => {
    if (row) filled.data.set(row, b * width);
  });
  return filled;
}

function stacked(input: Input, rows: readonly (ArrayLike<number> | undefined)[]): Tensor {
  const shape = [rows.length, ...(input.shape.slice(1) as number[])];
  return column(
    input,
    shape,
    rows.flatMap((row) => Array.from(row ?? [])),
  );
}

function column({ dtype }: Input, shape: readonly number[], values: readonly number[]): Tensor & { data: NumberArray } {
  const size = shape.reduce((n, d) => n * d, 1);
  if (values.length > 0 && values.length !== size) throw unequal(shape, values.length);
  const data = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
  data.set(values);
  return tensor(dtype, shape, data) as Tensor & { data: NumberArray };
}

type NumberArray = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

function unequal(shape: readonly number[], got: number): TesseraError {
  return new TesseraError({
    code: 'batch/size',
    message: 'the rows of a batch bring lists of other lengths than the input has',
    expected: `${shape.reduce((n, d) => n * d, 1)} numbers`,
    got: `${got}`,
  });
}

/**
 * What is read from media as feeds: values of kind `flat` one after another, those of kind `index` moved on by what the
 * media before them brought along the axis they count.
 * @param once which media are brought once and shown again, where the model has an input of kind `shown` for it
 */
export function joinMedia(read: readonly ReadMedia[], processor: Processor, once?: MediaOnce): Map<string, Tensor> {
  const media = read.flat();
  const feeds = new Map<string, Tensor>();
  for (const [name, input] of Object.entries(processor.inputs)) {
    if (input.join === 'shown' && once && media.length > 0) {
      const places = placesShown(once, (at) => media[at]?.[input.of]?.shape[0] ?? 0);
      feeds.set(name, column(input, [places.length], places));
    }
    if (input.join !== 'flat' && input.join !== 'index') continue;
    const parts = broughtOnce(media, processor, name, once).flatMap((values) => values[name] ?? []);
    if (parts.length === 0) continue;
    feeds.set(name, concatenated(input.join === 'index' ? moved(read, name, input, processor) : parts, name));
  }
  return feeds;
}

/** Of all media those that an input holds. */
function broughtOnce<T>(media: readonly T[], { inputs }: Processor, name: string, once?: MediaOnce): readonly T[] {
  const isOnce = once && Object.values(inputs).some((input) => input.join === 'shown' && input.of === name);
  return isOnce ? once.read.map((at) => media[at] as T) : media;
}

/** The places of all media in what is brought once, of which the medium at a place brings `sizeOf`. */
function placesShown({ read, shown }: MediaOnce, sizeOf: (at: number) => number): number[] {
  let next = 0;
  const places = read.map((at) => {
    const first = next;
    next += sizeOf(at);
    return Array.from({ length: next - first }, (_, i) => first + i);
  });
  return shown.flatMap((place) => places[place] ?? []);
}

function moved(read: readonly ReadMedia[], name: string, input: Input & { join: 'index' }, p: Processor): Tensor[] {
  const along = Object.keys(p.inputs).find((key) => {
    const other = p.inputs[key] as Input;
    return other.join === 'flat' && other.shape[0] === input.into;
  });
  let before = 0;
  return read.flatMap((media, b) =>
    media.flatMap((values) => {
      const own = values[name];
      const from = input.into === 'B' ? b : before;
      before += (along === undefined ? undefined : values[along]?.shape[0]) ?? 0;
      return own ? [{ ...own, data: Int32Array.from(own.data as Int32Array, (i) => from + i) } as Tensor] : [];
    }),
  );
}

function concatenated(parts: readonly Tensor[], name: string): Tensor {
  const [first] = parts as [Tensor];
  if (parts.length === 1) return first;
  const rest = first.shape.slice(1);
  const odd = parts.find(({ shape }) => shape.slice(1).some((d, i) => d !== rest[i]));
  if (odd) {
    throw new TesseraError({
      code: 'image/batch-size',
      message: 'images of one batch have different sizes after preparation',
      path: name,
      expected: `${rest}`,
      got: `${odd.shape.slice(1)}`,
      remedy: 'use a processor that crops or pads to one size',
    });
  }
  const count = parts.reduce((n, { shape }) => n + (shape[0] as number), 0);
  const joined = new (first.data.constructor as Float32ArrayConstructor)(parts.reduce((n, p) => n + p.data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    joined.set(data as Float32Array, at);
    at += data.length;
  }
  return { ...first, shape: [count, ...rest], data: joined } as Tensor;
}

/** Sizes by name, as the feeds of these sequences will have them, and the names of those feeds; nothing is read. */
export function batchSizes(
  sequences: readonly Sequence[],
  processor: Processor,
  once?: MediaOnce,
): { readonly feeds: readonly string[]; readonly sizes: Map<string, number> } {
  const own = sequences.map((sequence) => processor.row?.(sequence) ?? {});
  const shown = shownIn(processor, once);
  const sizes = new Map<string, number>([['B', sequences.length]]);
  const feeds: string[] = [];
  for (const [name, input] of Object.entries(processor.inputs)) {
    const lists = sequences.map((sequence, b) => listsOf(sequence, name, input, own[b] ?? {}));
    const count = lists.reduce((n, list) => n + list.count, 0) + mediaCount(sequences, processor, name, once);
    const longest = lists.reduce((n, list) => Math.max(n, list.longest), 0);
    if (count > 0) feeds.push(name);
    else if (input.join === 'shown') continue; // its length is then that of what it would show
    const axis = inputShape(processor.inputs, name, shown)[input.join === 'pad' ? 1 : 0];
    if (typeof axis === 'string' && !/[*+/]/.test(axis) && axis !== 'B') {
      sizes.set(axis, input.join === 'pad' ? longest : count);
    }
  }
  return { feeds, sizes };
}

/** The inputs of kind `shown` that a batch brings. */
function shownIn({ inputs }: Processor, once: MediaOnce | undefined): ReadonlySet<string> {
  const names = Object.keys(inputs).filter((name) => inputs[name]?.join === 'shown');
  return new Set(once && once.shown.length > 0 ? names : []);
}

/** How much media bring to an input of kind `flat`, `index` or `shown`. */
function mediaCount(sequences: readonly Sequence[], processor: Processor, name: string, once?: MediaOnce): number {
  const input = processor.inputs[name] as Input;
  const media = sequences.flatMap(({ media = [] }) => media);
  const size =
    (of: string) =>
    (n: number, { plan }: (typeof media)[number]) =>
      n + (plan.sizes[of] ?? 0);
  if (input.join === 'shown') return once ? media.reduce(size(input.of), 0) : 0;
  if (input.join !== 'flat' && input.join !== 'index') return 0;
  return broughtOnce(media, processor, name, once).reduce(size(name), 0);
}

function listsOf(
  sequence: Sequence,
  name: string,
  input: Input,
  own: Named<readonly number[]>,
): { count: number; longest: number } {
  const ofRow = (input.join === 'flat' ? undefined : (textOf(sequence, name) ?? own[name]))?.length ?? 0;
  const ofMedia = (sequence.media ?? []).reduce((n, span) => {
    return input.join === 'slots' && span.input === input.of ? n + (span.plan.slots[name]?.length ?? 0) : n;
  }, 0);
  return { count: ofRow + ofMedia, longest: ofRow };
}
