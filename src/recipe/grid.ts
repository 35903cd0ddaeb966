import { basename } from 'node:path';
import { LineCounter } from 'yaml';
import { z } from 'zod';
import { type Fault, raise } from '../base/index.ts';
import { taskNames } from '../eval/index.ts';
import { readText } from '../files/index.ts';
import { architectures } from '../models/index.ts';
import { faultsOf, type KeyPath, spell } from './faults.ts';
import { option, optional, section, wordsOf } from './option.ts';
import { locate } from './place.ts';
import { plainData, yamlDocument } from './yaml.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'expected lower-case letters, digits, dots and dashes');
const overrides = z.array(z.string().regex(/=/, 'expected key=value'));
const measure = z.string().regex(/^[^/]+\/.+\/[^/]+$/, 'expected task/group/metric, such as vqa/all/accuracy');

const gridSchema = section({
  bases: option(
    z.record(
      name,
      section({
        architecture: optional(z.enum(Object.keys(architectures)), 'kind of model; the name of the base when absent'),
        from: optional(z.string().min(1), 'run or model folder; {seed} stands for the seed'),
        recipe: optional(z.string().min(1), 'a recipe that is trained first, in the place of from'),
        overrides: optional(overrides, 'of every cell of the base'),
        training: optional(overrides, 'overrides of recipe'),
      }),
    ),
    'models that cells begin with',
  ),
  methods: option(
    z.record(
      name,
      section({
        recipe: option(z.string().min(1), 'what a cell makes and trains'),
        overrides: optional(overrides, 'of every cell of the method'),
      }),
    ),
    'what is done to them',
  ),
  seeds: option(z.array(z.int().nonnegative()).min(1), 'of training and of sampled answers; one cell each'),
  overrides: optional(overrides, 'of every cell'),
  eval: option(
    section({
      tasks: option(wordsOf(taskNames()), 'what bases and cells are asked'),
      limit: option(z.int().positive(), 'images of each task'),
    }),
    'what is measured',
  ),
  table: option(
    section({
      measure: option(measure, 'what should change, as task/group/metric'),
      beside: optional(z.array(measure), 'what should stand beside it, such as coverage and length'),
    }),
    'what the table shows',
  ),
  folder: optional(z.string().min(1), 'where the grid goes; runs/<file> when absent'),
});

type GridFile = z.infer<typeof gridSchema>;

/** One number of an evaluation. */
export interface Measure {
  readonly task: string;
  readonly group: string;
  readonly metric: string;
}

export interface GridBase {
  readonly architecture: string;
  readonly from?: string | undefined;
  readonly recipe?: string | undefined;
  readonly overrides: readonly string[];
  readonly training: readonly string[];
}

/** A grid file with nothing left open; of its names, bases and methods. */
export interface Grid {
  readonly bases: ReadonlyMap<string, GridBase>;
  readonly methods: ReadonlyMap<string, { readonly recipe: string; readonly overrides: readonly string[] }>;
  readonly seeds: readonly number[];
  readonly overrides: readonly string[];
  readonly eval: GridFile['eval'];
  readonly measure: Measure;
  readonly beside: readonly Measure[];
  readonly folder: string;
}

/**
 * Reads a grid file. @param given overrides of every cell, which stand above those of the file
 * @throws TesseraError with every fault of the file at once
 */
export function readGrid(path: string, given: readonly string[] = []): Grid {
  const data = yamlOf(path);
  const where = (at: KeyPath) => `${path} ${spell(data, at)}`;
  const result = gridSchema.safeParse(data, { reportInput: true });
  if (!result.success) raise(faultsOf(result.error.issues, gridSchema, data, where));
  const grid = result.data as GridFile;
  raise(gridFaults(grid, where));
  return {
    bases: new Map(
      Object.entries(grid.bases).map(([name, base]) => [
        name,
        {
          ...base,
          architecture: base.architecture ?? name,
          overrides: base.overrides ?? [],
          training: base.training ?? [],
        },
      ]),
    ),
    methods: new Map(
      Object.entries(grid.methods).map(([name, { recipe, overrides = [] }]) => [name, { recipe, overrides }]),
    ),
    seeds: grid.seeds,
    overrides: [...(grid.overrides ?? []), ...given],
    eval: grid.eval,
    measure: measureOf(grid.table.measure),
    beside: (grid.table.beside ?? []).map(measureOf),
    folder: grid.folder ?? `runs/${basename(path).replace(/\.ya?ml$/, '')}`,
  };
}

function yamlOf(path: string): unknown {
  const text = readText(locate(path), { code: 'grid/file', largest: 1 << 20 });
  const yaml = { code: 'grid/yaml', noun: 'grid file' };
  return plainData(yamlDocument(text, path, new LineCounter(), yaml), path, yaml);
}

function gridFaults(grid: GridFile, where: (at: KeyPath) => string): Fault[] {
  const faults: Fault[] = [];
  const fault = (at: KeyPath, message: string, expected: string, got: string) =>
    faults.push({ code: 'grid/value', message, path: where(at), expected, got });
  for (const [base, { from, recipe, architecture }] of Object.entries(grid.bases)) {
    if ((from === undefined) === (recipe === undefined)) {
      const got = from === undefined ? 'neither' : 'both';
      fault(['bases', base], 'a base is a folder, or a recipe that makes one', 'either from or recipe', got);
    }
    if (architecture === undefined && !Object.hasOwn(architectures, base)) {
      const known = Object.keys(architectures).join(', ');
      fault(['bases', base], 'the base does not say its architecture', `architecture: one of ${known}`, base);
    }
  }
  for (const [i, text] of [grid.table.measure, ...(grid.table.beside ?? [])].entries()) {
    const at = i === 0 ? ['table', 'measure'] : ['table', 'beside', i - 1];
    const tasks: readonly string[] = grid.eval.tasks;
    if (!tasks.includes(measureOf(text).task)) {
      fault(at, 'the table shows a task that is not asked', `one of ${tasks.join(', ')}`, text);
    }
  }
  if (new Set(grid.seeds).size < grid.seeds.length) {
    fault(['seeds'], 'a seed is named twice', 'each seed once', grid.seeds.join(', '));
  }
  return faults;
}

/** Groups may hold slashes, as `yes/no` does. */
function measureOf(text: string): Measure {
  const [task, ...rest] = text.split('/') as [string, ...string[]];
  return { task, group: rest.slice(0, -1).join('/'), metric: rest.at(-1) as string };
}
