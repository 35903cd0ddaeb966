import { join, relative, resolve } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import { type Grid, type GridBase, loadPlan, type Plan } from '../../recipe/index.ts';
import { digestOf } from '../digest.ts';

/** One method on one base with one seed, and where it goes. */
export interface Cell {
  readonly base: string;
  readonly method: string;
  readonly seed: number;
  readonly folder: string;
}

/** What a cell begins with, the seed put in. */
export interface Start {
  readonly base: GridBase;
  /** The run or model folder. */
  readonly folder: string;
  /** Its name, and the seed where seeds have one each. */
  readonly place: string;
}

/** Every cell, seed by seed, so that a grid that is stopped has seen all bases and methods. */
export function cellsOf({ bases, methods, seeds, folder }: Grid): Cell[] {
  return seeds.flatMap((seed) =>
    [...bases.keys()].flatMap((base) =>
      [...methods.keys()].map((method) => ({
        base,
        method,
        seed,
        folder: join(folder, 'cells', base, method, `${seed}`),
      })),
    ),
  );
}

const SEED = '{seed}';
const withSeed = (text: string, seed: number) => text.replaceAll(SEED, `${seed}`);

/** The model that a cell begins with. Seeds share it where what makes it does not speak of them. */
export function startOf({ bases, folder }: Grid, { base: name, seed }: Cell): Start {
  const given = bases.get(name) as GridBase;
  const put = (texts: readonly string[]) => texts.map((text) => withSeed(text, seed));
  const base = {
    ...given,
    ...(given.from !== undefined && { from: withSeed(given.from, seed) }),
    overrides: put(given.overrides),
    training: put(given.training),
  };
  const own = [given.from ?? '', ...given.training].some((text) => text.includes(SEED));
  const place = own ? join(name, `${seed}`) : name;
  return { base, folder: base.from ?? join(folder, 'bases', place), place };
}

/** How a base is trained that no folder holds. */
export function trainingOf({ base, folder }: Start): Plan | undefined {
  if (base.recipe === undefined) return undefined;
  return withoutScores(loadPlan(base.recipe, [...base.training, `output.folder=${JSON.stringify(folder)}`]));
}

/**
 * The plan of a cell: the recipe of its method on its base. Its pairs are in a folder that cells share whose pairs are made
 * alike.
 * @throws TesseraError with the faults of the recipe, `grid/unused-pairs`
 */
export function planOf(grid: Grid, cell: Cell, { base, folder }: Start): Plan {
  const { recipe, overrides } = grid.methods.get(cell.method) as { recipe: string; overrides: readonly string[] };
  const set = (key: string, value: unknown) => `${key}=${JSON.stringify(value)}`;
  const given = [
    set('model', { architecture: base.architecture, from: folder }),
    ...[...grid.overrides, ...overrides].map((text) => withSeed(text, cell.seed)),
    ...base.overrides,
    set('train.seed', cell.seed),
    set('output.folder', join(cell.folder, 'run')),
  ];
  const plan = loadPlan(recipe, given);
  if (!plan.feedback) return withoutScores(plan);
  const sampled = [...given, set('feedback.from', folder), set('feedback.seed', cell.seed)];
  const pairs = join(grid.folder, 'pairs', cell.base, `${cell.seed}`, pairsName(loadPlan(recipe, sampled)));
  const paths = pathsInto(plan, plan.feedback.folder).map(({ key, rest }) => set(key, join(pairs, rest)));
  return withoutScores(loadPlan(recipe, [...sampled, set('feedback.folder', pairs), ...paths]));
}

/** The builder, and what tells its settings from others. */
function pairsName({ feedback }: Plan): string {
  const { folder: _, ...settings } = feedback as NonNullable<Plan['feedback']>;
  return `${settings.builder}-${digestOf(settings).slice(0, 8)}`;
}

/** The files of stages that the pair set of a recipe holds. */
function pathsInto({ name, stages }: Plan, folder: string): { key: string; rest: string }[] {
  const found = stages.flatMap((stage) =>
    stage.data.flatMap((data, i) => {
      const rest = data.source === 'files' ? relative(resolve(folder), resolve(data.path)) : '..';
      return rest.startsWith('..') ? [] : [{ key: `stages.${stage.name}.data.${i}.path`, rest }];
    }),
  );
  if (found.length > 0) return found;
  throw new TesseraError({
    code: 'grid/unused-pairs',
    message: 'no stage of the recipe trains on the pairs that it makes',
    path: name,
    expected: `a stage with data in ${folder}`,
  });
}

/** The grid measures for itself. */
function withoutScores(plan: Plan): Plan {
  return { ...plan, eval: { ...plan.eval, tasks: [] } };
}
