import { TesseraError } from '../../base/index.ts';
import type { JsonObject } from '../../files/index.ts';
import {
  basename,
  describeJson,
  dirname,
  formatJson,
  isJsonObject,
  namesIn,
  parseJson,
  pathExists,
  readText,
  resolve,
  writeTextAtomically,
} from '../../files/index.ts';

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
  const near = pathExists(dirname(path)) ? namesIn(dirname(path)).slice(0, 12).join(', ') : 'no such folder';
  const [code, message] = ['folder/missing-file', `${basename(path)} is missing`];
  const remedy = hubRemedy(dirname(path));
  throw new TesseraError({
    code,
    message,
    path,
    expected: 'a file',
    got: near || 'an empty folder',
    ...(remedy !== undefined && { remedy }),
  });
}

/** The way from a name on the Hugging Face hub to a folder; a path that is none has a folder around it. */
export function hubRemedy(folder: string): string | undefined {
  const path = resolve(folder);
  const around = dirname(path);
  const base = dirname(around);
  if (pathExists(around) || !pathExists(base) || dirname(base) === base) return undefined;
  const name = `${basename(around)}/${basename(path)}`;
  return `${name} looks like a name on the Hugging Face hub, and tessera reads folders: \`hf download ${name} --local-dir ${basename(path)}\` makes one, to be named here`;
}
