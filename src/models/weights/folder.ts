import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import { pathExists, syncFolder, syncTree, temporaryBeside, writeAll, writeFileAtomically } from './durable.ts';
import type { JsonObject } from './json.ts';
import { describeJson, isJsonObject, parseJson } from './json.ts';
import { formatJson } from './json-write.ts';

/** What a model folder holds beside config and weights, and a save carries over unchanged. */
const sideFileNames = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'video_preprocessor_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
];

/**
 * Reads a JSON file that holds an object.
 * @param floats receives the keys whose whole numbers are spelled `1.0`; hand it to `writeJsonObject`, since typed
 * readers of configs refuse `1` there
 * @throws TesseraError `folder/missing-file`, `folder/read`, `folder/json` with line and column,
 * `folder/duplicate-key`, `folder/not-object`.
 */
export function readJsonObject(path: string, floats: Set<string> = new Set()): JsonObject {
  const value = parseJson(readText(path), { file: path, area: 'folder', floats });
  if (isJsonObject(value)) return value;
  throw new TesseraError({
    code: 'folder/not-object',
    message: 'the JSON file holds no object',
    path,
    expected: 'an object in braces',
    got: describeJson(value),
  });
}

/** As `readJsonObject`, but undefined when there is no such file. */
export function readOptionalJsonObject(path: string, floats?: Set<string>): JsonObject | undefined {
  return pathExists(path) ? readJsonObject(path, floats) : undefined;
}

/** Writes an object as indented JSON (see `formatJson`); the file appears whole or not at all. */
export function writeJsonObject(path: string, value: JsonObject, floats?: ReadonlySet<string>): void {
  const text = `${formatJson(value, floats)}\n`;
  writeFileAtomically(path, (fd) => writeAll(fd, new TextEncoder().encode(text)));
}

function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (pathExists(path)) throw asTesseraError(error, { code: 'folder/read', path, expected: 'a UTF-8 text file' });
    const near = pathExists(dirname(path)) ? readdirSync(dirname(path)).slice(0, 12).join(', ') : 'no such folder';
    const [code, message] = ['folder/missing-file', `${basename(path)} is missing`];
    throw new TesseraError({ code, message, path, expected: 'a file', got: near || 'an empty folder' });
  }
}

/** Copies tokenizer, preprocessor and chat template files that `from` has; returns their names. */
export function copySideFiles(from: string, to: string): string[] {
  const found = sideFileNames.filter((name) => statSync(join(from, name), { throwIfNoEntry: false })?.isFile());
  for (const name of found) cpSync(join(from, name), join(to, name), { dereference: true });
  return found;
}

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
 * @example writeFolder('out', (part) => { writeJsonObject(join(part, 'config.json'), config); });
 */
export function writeFolder(folder: string, fill: (partial: string) => void, options: WriteFolderOptions = {}): void {
  const target = resolve(folder);
  let partial: string | undefined;
  try {
    refuseSources(target, options.sources ?? []);
    refuseExisting(target, options.overwrite ?? false);
    mkdirSync(dirname(target), { recursive: true });
    partial = temporaryBeside(target);
    mkdirSync(partial);
    fill(partial);
    syncTree(partial);
    moveInto(partial, target);
  } catch (error) {
    if (partial !== undefined) rmSync(partial, { recursive: true, force: true });
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
    remedy: isFolder ? 'choose another folder, or ask for overwriting' : 'choose another path',
  });
}
