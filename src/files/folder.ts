import { mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { asTesseraError, TesseraError } from '../base/index.ts';
import { pathExists } from './disk.ts';
import { discard, makeFolder, syncFolder, syncTree, temporaryBeside } from './durable.ts';

export interface WriteFolderOptions {
  /** Replace a folder that is not empty. Default false. */
  readonly overwrite?: boolean;
  /** Folders that are being read; the target may not be one of them, hold one or lie in one. */
  readonly sources?: readonly string[];
}

/**
 * Writes a folder that appears whole or not at all. `fill` writes into an unfinished sibling `tmp-…`, which is synced
 * and renamed; when it throws, the sibling goes and the target stays as it was.
 * @throws TesseraError `folder/exists`, `folder/is-source`, `folder/write`.
 * @example writeFolder('out', (part) => { writeFileSync(join(part, 'config.json'), text); });
 */
export function writeFolder(folder: string, fill: (partial: string) => void, options: WriteFolderOptions = {}): void {
  const target = resolve(folder);
  let partial: string | undefined;
  try {
    refuseSources(target, options.sources ?? []);
    refuseExisting(target, options.overwrite ?? false);
    makeFolder(dirname(target));
    partial = temporaryBeside(target);
    mkdirSync(partial);
    fill(partial);
    syncTree(partial);
    moveInto(partial, target);
  } catch (error) {
    if (partial !== undefined) discard(partial);
    throw asTesseraError(error, { code: 'folder/write', path: target, remedy: 'check free space and permissions' });
  }
}

/** A folder cannot be renamed over one that holds files, so the old one steps aside first and comes back on failure. */
function moveInto(partial: string, target: string): void {
  const old = pathExists(target) ? temporaryBeside(target) : undefined;
  if (old !== undefined) renameSync(target, old);
  try {
    renameSync(partial, target);
  } catch (error) {
    if (old !== undefined) renameSync(old, target);
    throw error;
  }
  syncFolder(dirname(target));
  if (old !== undefined) rmSync(old, { recursive: true, force: true });
}

function refuseSources(target: string, sources: readonly string[]): void {
  const here = realTarget(target);
  for (const source of sources) {
    const there = realTarget(resolve(source));
    if (!`${here}${sep}`.startsWith(`${there}${sep}`) && !`${there}${sep}`.startsWith(`${here}${sep}`)) continue;
    throw new TesseraError({
      code: 'folder/is-source',
      message: 'the save would touch the folder it reads from',
      path: target,
      expected: `a folder apart from ${source}`,
      remedy: 'choose another output folder',
    });
  }
}

/** The path without symbolic links, as far as it exists. */
function realTarget(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realTarget(parent), basename(path));
}

function refuseExisting(target: string, overwrite: boolean): void {
  if (!pathExists(target)) return;
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const count = isFolder ? readdirSync(target).length : 1;
  if (count === 0 || (overwrite && isFolder)) return;
  throw new TesseraError({
    code: 'folder/exists',
    message: isFolder ? 'the output folder is not empty' : 'the output path is no folder',
    path: target,
    expected: 'a new or empty folder',
    got: isFolder ? `${count} files` : 'a file or a broken link',
    remedy: isFolder ? 'choose another folder, or remove this one' : 'choose another path',
  });
}
