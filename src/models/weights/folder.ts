import { cpSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import type { JsonObject } from '../../files/index.ts';
import {
  describeJson,
  formatJson,
  isJsonObject,
  parseJson,
  pathExists,
  readText,
  writeTextAtomically,
} from '../../files/index.ts';

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
  const value = parseJson(readText(present(path), { code: 'folder/read' }), { file: path, area: 'folder', floats });
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
  writeTextAtomically(path, `${formatJson(value, floats)}\n`);
}

function present(path: string): string {
  if (pathExists(path)) return path;
  const near = pathExists(dirname(path)) ? readdirSync(dirname(path)).slice(0, 12).join(', ') : 'no such folder';
  const [code, message] = ['folder/missing-file', `${basename(path)} is missing`];
  throw new TesseraError({ code, message, path, expected: 'a file', got: near || 'an empty folder' });
}

/** Copies tokenizer, preprocessor and chat template files that `from` has; returns their names. */
export function copySideFiles(from: string, to: string): string[] {
  const found = sideFileNames.filter((name) => statSync(join(from, name), { throwIfNoEntry: false })?.isFile());
  for (const name of found) cpSync(join(from, name), join(to, name), { dereference: true });
  return found;
}
