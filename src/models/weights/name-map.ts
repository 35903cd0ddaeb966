import type { Fault } from '../../base/index.ts';
import { formatShape, nearest, raise, sameShape, selector, TesseraError } from '../../base/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Layout } from './layouts.ts';
import { fromFileName, halvesOfPairs, toFileName } from './layouts.ts';

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

export interface MatchOptions {
  /** Where the file is, for errors. */
  readonly path?: string;
  /**
   * Patterns of tessera names that the file may hold although the model has no such parameter, such as encoder layers
   * above the one that is read. They are listed in `carried`, so that a save can copy them.
   */
  readonly carry?: readonly string[];
  /** Name of a tied copy that files may hold, to the parameter it equals, such as the head to the embedding. */
  readonly tied?: ReadonlyMap<string, string>;
}

/** Which tensor of the file each parameter comes from. */
export interface NameMatch {
  readonly layout: Layout;
  /** Parameter to file name. */
  readonly names: ReadonlyMap<string, string>;
  /** tessera name to file name of what the file holds beyond the parameters and `carry` allows. */
  readonly carried: ReadonlyMap<string, string>;
  /** Parameter to the file name of its tied copy; `loadWeights` checks that both are equal. */
  readonly tied: ReadonlyMap<string, string>;
  /** File names that are not read: buffers that are computed, and parts the layout leaves out. */
  readonly skipped: readonly string[];
}

/** Tables that older files store and every reader computes. */
const computedBuffer = /(^|\.)(inv_freq|position_ids)$/;

/** Tables with a row for each token. */
const tokenTable = /(^|\.)(embed_tokens|token_embedding|shared|wte|embed_in|lm_head|embed_out)\.weight$/;

/**
 * Finds the layout under which a file fits a model, and holds every name and shape against it.
 * @throws TesseraError `weights/missing`, `weights/unused`, `weights/shape`, `weights/embedding-rows`, all at once, for
 * the layout that fits best.
 * @example const match = matchNames(parameters, checkpoint.tensors, llavaLayouts, { path: checkpoint.folder });
 */
export function matchNames(
  parameters: Shapes,
  file: Shapes,
  layouts: readonly Layout[],
  options: MatchOptions = {},
): NameMatch {
  let best: Attempt | undefined;
  for (const layout of layouts) {
    const attempt = tryLayout(parameters, file, layout, options);
    if (!best || attempt.misfits < best.misfits) best = attempt;
  }
  if (!best) throw new TesseraError({ code: 'weights/no-layout', message: 'no layout was given to try' });
  raise(faultsOf(best, parameters, file, options.path ?? 'the file'));
  return best;
}

interface Attempt extends NameMatch {
  readonly unused: readonly string[];
  readonly missing: readonly string[];
  readonly misfits: number;
}

function tryLayout(parameters: Shapes, file: Shapes, layout: Layout, options: MatchOptions): Attempt {
  const carry = selector(options.carry ?? []);
  const names = new Map<string, string>();
  const carried = new Map<string, string>();
  const tied = new Map<string, string>();
  const unused: string[] = [];
  const skipped: string[] = [];
  for (const stored of file.keys()) {
    const name = fromFileName(layout, stored);
    const twin = name === undefined ? undefined : options.tied?.get(name);
    if (computedBuffer.test(stored) || layout.skip?.some((prefix) => stored.startsWith(prefix))) skipped.push(stored);
    else if (name !== undefined && parameters.has(name) && !names.has(name)) names.set(name, stored);
    else if (twin !== undefined && parameters.has(twin)) tied.set(twin, stored);
    else if (name !== undefined && carry(name)) carried.set(name, stored);
    else unused.push(stored);
  }
  for (const [twin, stored] of tied) if (!names.has(twin)) names.set(twin, stored);
  const missing = [...parameters.keys()].filter((name) => !names.has(name));
  return { layout, names, carried, tied, skipped, unused, missing, misfits: missing.length + unused.length };
}

function faultsOf(attempt: Attempt, parameters: Shapes, file: Shapes, path: string): Fault[] {
  const { layout, missing, unused, names, tied } = attempt;
  const faults: Fault[] = [];
  if (missing.length > 0) {
    const expected = list(missing.map((name) => toFileName(layout, name) ?? name));
    const near = nearest(toFileName(layout, missing[0] as string) ?? (missing[0] as string), unused);
    const message = `${missing.length} of ${parameters.size} parameters are not in the file (layout ${layout.name})`;
    const got = near === undefined ? {} : { got: `nearest to the first: ${near}` };
    const remedy = 'check that config.json belongs to these weights';
    faults.push({ code: 'weights/missing', message, path, expected, ...got, remedy });
  }
  if (unused.length > 0) {
    const message = `${unused.length} of ${file.size} tensors of the file are not in the model (layout ${layout.name})`;
    faults.push({ code: 'weights/unused', message, path, expected: 'no other tensors', got: list(unused) });
  }
  for (const [name, stored] of [...names, ...tied]) {
    const [want, have] = [parameters.get(name)?.shape, file.get(stored)?.shape];
    if (want && have && !sameShape(want, have)) faults.push(shapeFault(name, want, have, `${path}: ${stored}`));
  }
  return faults;
}

function shapeFault(name: string, want: readonly number[], have: readonly number[], path: string): Fault {
  const detail = { path, expected: formatShape(want), got: formatShape(have) };
  const rows = tokenTable.test(name) && want.length === 2 && have.length === 2 && want[1] === have[1];
  if (!rows) return { code: 'weights/shape', message: `the shape of ${name} differs`, ...detail };
  const message = `${name} has ${have[0]} rows in the file and ${want[0]} by the config`;
  const remedy = `set vocab_size to ${have[0]} in config.json, which decides; padding rows count`;
  return { code: 'weights/embedding-rows', message, ...detail, remedy };
}

/** All names; a person needs to see what a loader would have dropped. */
function list(names: readonly string[]): string {
  return [...names].sort().join(', ');
}

/**
 * Reads every parameter as float32, into the arrays of `targets` that are there; rows of heads in tessera's order.
 * @throws TesseraError `weights/tied-differ` when a tied copy differs from its parameter.
 */
export function loadWeights(
  checkpoint: Checkpoint,
  match: NameMatch,
  targets: ReadonlyMap<string, Float32Array<ArrayBuffer>> = new Map(),
): Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }> {
  const out = new Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  for (const [name, stored] of match.names) {
    const data = checkpoint.read(stored, targets.get(name));
    const twin = match.tied.get(name);
    if (twin !== undefined && twin !== stored) checkTied(checkpoint, stored, twin, data);
    const shape = checkpoint.tensors.get(stored)?.shape ?? [];
    const { interleaved } = match.layout;
    if (interleaved?.names.test(name)) halvesOfPairs(data, shape[0] as number, interleaved.headSize);
    out.set(name, { shape, data });
  }
  return out;
}

function checkTied(checkpoint: Checkpoint, stored: string, twin: string, data: Float32Array): void {
  const other = checkpoint.read(twin);
  const at = data.findIndex((value, i) => !Object.is(value, other[i]));
  if (at < 0) return;
  throw new TesseraError({
    code: 'weights/tied-differ',
    message: 'the config ties two tensors that differ in the file',
    path: `${checkpoint.folder}: ${twin}`,
    expected: `equal to ${stored}`,
    got: `another number at element ${at} of ${data.length}`,
    remedy: 'set tie_word_embeddings to false in config.json',
  });
}

/**
 * The same tensors under the names of a layout, for a save.
 * @throws TesseraError `weights/no-rule` when the layout has no name for a tensor, `weights/name-clash` when two get one.
 */
export function renameForFile<T>(tensors: ReadonlyMap<string, T>, layout: Layout): Map<string, T> {
  const out = new Map<string, T>();
  const faults: Fault[] = [];
  for (const [name, tensor] of tensors) {
    const stored = toFileName(layout, name);
    const path = `layout ${layout.name}: ${name}`;
    if (stored === undefined || fromFileName(layout, stored) !== name) {
      faults.push({ code: 'weights/no-rule', message: 'the layout has no name for a tensor', path });
    } else if (out.has(stored)) {
      faults.push({ code: 'weights/name-clash', message: 'two tensors get one name in the file', path, got: stored });
    } else out.set(stored, tensor);
  }
  raise(faults);
  return out;
}
