import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { functionSizes } from './support/functions.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Import {
  readonly from: string;
  /** A path from the project's root, or the name of a package. */
  readonly to: string;
  /** False for a package. */
  readonly isFile: boolean;
}

/** `import ... from '..'`, `export ... from '..'`, `import '..'` and `import('..')`; types too. */
const specifier = /\b(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g;

function importsOf(file: string): Import[] {
  const code = readFileSync(join(root, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(specifier)].map((match) => {
    const name = (match[1] ?? match[2]) as string;
    const isFile = /^[./]/.test(name);
    return { from: file, to: isFile ? posix.normalize(posix.join(posix.dirname(file), name)) : name, isFile };
  });
}

const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
  .sort();
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

  it('may import nothing that they do not, unless it is all above them', () => {
    const wide = [...table].flatMap(([room, allowed], above) => {
      const used = new Set(internal.filter(({ from }) => roomOf(from) === room).map(({ to }) => roomOf(to)));
      return allowed.length === above
        ? []
        : allowed.filter((other) => !used.has(other)).map((to) => `${room} -> ${to}`);
    });
    expect(wide).toEqual([]);
  });

  it('are entered through index.ts alone', () => {
    const wrong = internal.filter(({ from, to }) => roomOf(from) !== roomOf(to) && to !== `src/${roomOf(to)}/index.ts`);
    expect(wrong.map(show)).toEqual([]);
  });

  it('import files that are there, by their full names', () => {
    const known = new Set(files);
    expect(internal.filter(({ to }) => !known.has(to) && !/\.(json|jinja)$/.test(to)).map(show)).toEqual([]);
  });

  it('use nothing of the project outside src', () => {
    expect(imports.filter(({ isFile, to }) => isFile && !to.startsWith('src/')).map(show)).toEqual([]);
  });
});

/** Where the program starts: the command, and in browsers the bundle with the files that take others' places there. */
const entries = ['src/apps/cli/main.ts', 'src/apps/web/main.ts', ...sources.filter((file) => /\.web\.ts$/.test(file))];
/** A graph's nodes and operators are one subject: a node has its operator, which makes nodes. */
const circle = 'src/graph/op.ts -> src/graph/node.ts';

describe('files', () => {
  /** The files on each circle of these imports that a walk from file to file meets. */
  const circlesOf = (edges: readonly Import[]): string[] => {
    const next = new Map<string, string[]>();
    for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file) || path.includes(file)) return;
      for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    return circles;
  };

  it('do not import each other in a circle, not even for their types', () => {
    expect(circlesOf(internal.filter((edge) => show(edge) !== circle))).toEqual([]);
    expect(circlesOf(internal)).toHaveLength(1);
  });

  it('are read by the program, not by tests alone', () => {
    const read = new Set(entries);
    // A set goes on to what is added while it is walked through.
    for (const file of read) for (const { from, to } of internal) if (from === file) read.add(to);
    expect(sources.filter((file) => !read.has(file) && !file.endsWith('.d.ts'))).toEqual([]);
  });

  it('have 300 lines at most', () => {
    const long = sources.filter((file) => readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length > 300);
    expect(long).toEqual([]);
  });

  it('have functions of 60 lines at most, from the name to the closing brace and with all that stands inside', () => {
    const long = functionSizes(sources.filter((file) => !file.endsWith('.d.ts'))).filter(({ lines }) => lines > 60);
    expect(long.map(({ place }) => place).sort()).toEqual([]);
  }, 180_000);
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
