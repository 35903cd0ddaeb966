import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Fault, TesseraError } from '../../../base/index.ts';
import { lookUp } from '../../../files/index.ts';

/** Whether a path names files by a pattern, as `train-*.parquet` does, and not one of that very name. */
export function isPattern(path: string): boolean {
  return basename(path).includes('*') && /\.parquet$/i.test(path) && !existsSync(path);
}

/**
 * The files that a path means, in the order of their numbers: itself, or those that its pattern fits.
 * @throws TesseraError `data/file` where it fits none, `data/parts` where their names say that there are more
 */
export function partsOf(path: string): readonly string[] {
  if (!isPattern(path)) return [path];
  const folder = dirname(path);
  const fits = new RegExp(`^${basename(path).split('*').map(quoted).join('.*')}$`);
  const names = parquetNames(folder).filter((name) => fits.test(name));
  if (names.length === 0) {
    const message = 'no file has such a name';
    const expected = 'names of Parquet files, with * for what differs';
    throw new TesseraError({ code: 'data/file', message, path, expected, remedy: 'check the folder and the names' });
  }
  const fault = missingParts(path, names);
  if (fault) throw new TesseraError(fault);
  return names.map((name) => join(folder, name));
}

/** The Parquet files of a folder, as names or patterns: one for each set of names that differ in their number alone. */
export function partSets(folder: string): readonly string[] {
  return [...setsOf(parquetNames(folder)).values()].map(patternOf);
}

/** Names by what those of one set have in common. */
function setsOf(names: readonly string[]): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  for (const name of names) sets.set(keyOf(name), [...(sets.get(keyOf(name)) ?? []), name]);
  return sets;
}

/** Names that differ in the number of the part alone: their last one, or the one before `-of-`. */
const PART = /\d+(?=-of-\d+\.parquet$)|\d+(?=\D*\.parquet$)/i;

const keyOf = (name: string) => name.replace(PART, '*');

function patternOf(names: readonly string[]): string {
  const [name] = names as [string];
  const alone = names.length === 1 && (counted(name) ?? 1) === 1;
  return alone ? name : keyOf(name);
}

/** Of how many parts a name says that it is one. */
function counted(name: string): number | undefined {
  const of = /\d+-of-(\d+)\.parquet$/i.exec(name)?.[1];
  return of === undefined ? undefined : Number(of);
}

/** Shards are numbered from 0; names of one set may stand beside those of another that is cut otherwise. */
function missingParts(path: string, names: readonly string[]): Fault | undefined {
  for (const [key, found] of setsOf(names)) {
    const of = counted(found[0] as string);
    if (of === undefined || found.length === of) continue;
    return {
      code: 'data/parts',
      message: 'parts of the data are missing',
      path,
      expected: `${of} files ${key}`,
      got: `${found.length}: ${found.slice(0, 6).join(', ')}${found.length > 6 ? ', …' : ''}`,
      remedy: `fetch the others too, or name one of them to read it alone: ${join(dirname(path), found[0] as string)}`,
    };
  }
  return undefined;
}

/** The Parquet files of a folder, by their names, numbers by what they count. */
function parquetNames(folder: string): string[] {
  if (lookUp(folder)?.kind !== 'folder') return [];
  const names = readdirSync(folder).filter((name) => /\.parquet$/i.test(name));
  return names.sort(new Intl.Collator('en', { numeric: true }).compare);
}

const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
