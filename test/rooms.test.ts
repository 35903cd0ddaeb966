import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Import {
  readonly from: string;
  /** A path from the project's root, or the name of a package. */
  readonly to: string;
  /** True for `import type` and `export type`, which leave no trace in the program. */
  readonly typeOnly: boolean;
}

/** `import ... from '..'`, `export ... from '..'`, `import '..'` and `import('..')`; types too. */
const specifier = /\b(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g;

function importsOf(file: string): Import[] {
  const code = readFileSync(join(root, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(specifier)].map((match) => {
    const name = (match[1] ?? match[2]) as string;
    const to = name.startsWith('.') ? posix.normalize(posix.join(posix.dirname(file), name)) : name;
    return { from: file, to, typeOnly: /^(import|export)\s+type\b/.test(match[0]) };
  });
}

const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
const isTest = (file: string) => /\.test\.tsx?$/.test(file);
const sources = files.filter((file) => !isTest(file));
const imports = sources.flatMap(importsOf);
const internal = imports.filter(({ to }) => to.startsWith('src/'));
const roomOf = (file: string) => file.split('/')[1] as string;

/** Room to the rooms it may import, as docs/architecture.md has it. */
function readTable(): Map<string, readonly string[]> {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const lines = text.split('\n');
  const head = lines.findIndex((line) => /^\|\s*room\s*\|/.test(line));
  const body = lines.slice(head + 2);
  const rows = body.slice(
    0,
    body.findIndex((line) => !line.startsWith('|')),
  );
  const table = new Map<string, readonly string[]>();
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim());
    const [room, allowed] = [cells[1] as string, cells[3] as string];
    const above = [...table.keys()];
    table.set(room, allowed === '-' ? [] : allowed === 'all above' ? above : allowed.split(/,\s*/));
  }
  return table;
}

function importsFrom(file: string): string[] {
  return internal.filter(({ from, typeOnly }) => from === file && !typeOnly).map(({ to }) => to);
}

const table = readTable();
const show = ({ from, to }: Import) => `${from} -> ${to}`;

describe('the rooms of docs/architecture.md', () => {
  it('are the folders of src', () => {
    expect(sources.length).toBeGreaterThan(100);
    expect([...new Set(sources.map(roomOf))].sort()).toEqual([...table.keys()].sort());
    for (const allowed of table.values()) for (const room of allowed) expect(table.has(room), room).toBe(true);
  });

  it('import only what their row allows', () => {
    const wrong = internal.filter(({ from, to }) => {
      const [room, target] = [roomOf(from), roomOf(to)];
      return room !== target && !table.get(room)?.includes(target);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('are entered through index.ts alone', () => {
    const wrong = internal.filter(({ from, to }) => roomOf(from) !== roomOf(to) && to !== `src/${roomOf(to)}/index.ts`);
    expect(wrong.map(show)).toEqual([]);
  });

  it('import files that are there, by their full names', () => {
    const known = new Set(files);
    expect(internal.filter(({ to }) => !known.has(to) && !/\.(json|jinja)$/.test(to)).map(show)).toEqual([]);
    expect(imports.filter(({ to }) => /^(?!src\/)[./]/.test(to)).map(show)).toEqual([]);
  });
});

describe('files', () => {
  // Types may speak of each other: a node of its operator, an operator of the nodes it makes.
  it('do not import each other in a circle, types aside', () => {
    const edges = new Map(sources.map((file) => [file, importsFrom(file)]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file) || path.includes(file)) return;
      for (const to of edges.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    expect(circles).toEqual([]);
  });
});

describe('packages behind a seam', () => {
  const users = (isPackage: (name: string) => boolean) => [
    ...new Set(imports.filter(({ to }) => isPackage(to)).map(({ from }) => from)),
  ];

  it('ONNX Runtime and foreign functions are the business of src/runtime', () => {
    const found = users((name) => name === 'koffi' || name.startsWith('onnxruntime'));
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((file) => roomOf(file) !== 'runtime')).toEqual([]);
  });

  it.each(['@huggingface/tokenizers', '@huggingface/jinja'])('one file imports %s', (name) => {
    expect(users((to) => to === name || to.startsWith(`${name}/`))).toHaveLength(1);
  });
});
