import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';
import { isPattern, partSets } from './parquet/parts.ts';

/** Whether there is what a path of data means: a file, a folder, or a pattern, whose fault is told when it is read. */
export function isDataThere(path: string): boolean {
  return existsSync(path) || isPattern(path);
}

/**
 * The file of rows that a path means: itself, or of a folder its `metadata.jsonl` or `metadata.csv`, the one JSON file, or the
 * Parquet files that are parts of one set, as their pattern.
 * @throws TesseraError `data/file` for a folder with none or several
 */
export function dataFile(path: string): string {
  if (lookUp(path)?.kind !== 'folder') return path;
  const found = sourcesIn(path);
  const metadata = found.filter((name) => /^metadata\./i.test(name));
  const [name, ...others] = metadata.length > 0 ? metadata : found;
  if (name === undefined || others.length > 0) throw whichFile(path);
  return join(path, name);
}

/** What a folder has that rows are read from, parts of one set as one pattern. */
function sourcesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /\.jsonl?$|^metadata\.csv$/i.test(name));
  return [...names, ...partSets(folder)];
}

/** The refusal of a folder in the place of a file, naming the files in it that may be meant. */
export function whichFile(path: string): TesseraError {
  const others = readdirSync(path).filter((name) => /\.(?:csv|txt)$/i.test(name));
  const sources = [...new Set([...sourcesIn(path), ...others])];
  const metadata = sources.filter((name) => /^metadata\./i.test(name));
  return new TesseraError({
    code: 'data/file',
    message: 'the data is a folder',
    path,
    expected: 'a file of rows, beside the images or with their folder as images',
    got: sources.length === 0 ? 'a folder without one' : `a folder with ${sources.slice(0, 6).join(', ')}`,
    remedy: remedyFor(path, metadata.length > 0 ? metadata : sources),
  });
}

function remedyFor(path: string, [first, second]: readonly string[]): string {
  if (first !== undefined) {
    const several = second === undefined ? '' : '; several are a source each, data.0, data.1, …';
    return `name the file: ${join(path, first)}${several}`;
  }
  const below = readdirSync(path, { withFileTypes: true }).find(
    (entry) => entry.isDirectory() && sourcesIn(join(path, entry.name)).length > 0,
  );
  return below ? `name the folder of the files: ${join(path, below.name)}` : 'name the file that lists the images';
}
