import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { architectures, systems } from '../src/models/systems/index.ts';
import { methods } from '../src/train/methods/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Files that own such names: the room of models, the records of objectives, the key names of other tools; a data format and
 * a chat template may have the name of the system that they were made for, and the demo names the recipe that it trains.
 */
const owners = [
  'src/models/',
  'src/train/methods/',
  'src/recipe/aliases.ts',
  'src/data/formats/',
  'src/data/chat/',
  'src/world/tasks/',
  'src/run/demo/',
];

const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
  .filter((file) => !owners.some((owner) => file.startsWith(owner)));

/** Lines of code that spell one of these names as a value. */
function spelled(names: readonly string[]): string[] {
  const quoted = new RegExp(`['"\`](${names.join('|')})['"\`]`);
  return sources.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .flatMap((line, i) => (quoted.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line) ? [`${file}:${i + 1}${line}`] : [])),
  );
}

it('no file but its own spells the name of an architecture', () => {
  const names = [...new Set([...Object.keys(systems), ...Object.keys(architectures)])];
  expect(names.length).toBeGreaterThan(10);
  expect(spelled(names)).toEqual([]);
});

it('no file but its own spells the name of an objective', () => {
  expect(Object.keys(methods).length).toBeGreaterThan(1);
  expect(spelled(Object.keys(methods))).toEqual([]);
});

it('no branch asks what kind a model is or what its objective is called', () => {
  const branch = /\b(kind === '(causal|contrastive|vision)'|(objective|architecture)(\.name)? [!=]== ['"])/;
  const all = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const found = all.filter((file) => branch.test(readFileSync(file, 'utf8')));
  expect(found.map((file) => file.slice(root.length))).toEqual([]);
});
