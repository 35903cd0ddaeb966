import { basename } from 'node:path';
import type { Document, Node } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, stringify } from 'yaml';
import type { Fault } from '../base/index.ts';
import { raise, TesseraError } from '../base/index.ts';
import { dataFile, streamSamples } from '../data/index.ts';
import { readText } from '../files/index.ts';
import { architectures } from '../models/index.ts';
import { methods, objectiveNamed, readViews } from '../train/index.ts';
import { aliases } from './aliases.ts';
import { catalog } from './catalog.ts';
import { checkModel } from './checks.ts';
import type { KeyPath, Where } from './faults.ts';
import { brief, faultsOf, spell, valueAt } from './faults.ts';
import { findRecipe } from './find.ts';
import { applyOverrides, renamed } from './overrides.ts';
import { locate } from './place.ts';
import type { Plan } from './plan.ts';
import { planOf } from './plan.ts';
import type { Recipe } from './schema.ts';
import { recipeSchema } from './schema.ts';
import { plainData, yamlDocument } from './yaml.ts';

const yaml = { code: 'recipe/yaml', noun: 'recipe' };
/** In bytes. */
const largestRecipe = 1 << 20;

/**
 * Reads a recipe, applies overrides, and fills in every default.
 * @throws TesseraError with every fault of the recipe at once.
 * @example loadPlan('llava', ['train.lr=1e-4', 'stages.align.train.steps=50'])
 */
export function loadPlan(nameOrPath: string, overrides: readonly string[] = []): Plan {
  const file = findRecipe(nameOrPath);
  return parsePlan(readText(file, { code: 'recipe/file', largest: largestRecipe }), file, overrides);
}

/** As `loadPlan`, from text; `file` names the run folder and stands in the errors. */
export function parsePlan(text: string, file: string, overrides: readonly string[] = []): Plan {
  const { recipe, where } = parseRecipe(text, file, overrides);
  return planOf(recipe, basename(file).replace(/\.ya?ml$/, ''), where);
}

/**
 * A plan with one stage that reads one data file, for looking at its rows.
 * @throws TesseraError `recipe/missing` without a model, whose tokenizer and prompt the rows are read with.
 */
export function filePlan(
  path: string,
  from: { readonly model: string | undefined; readonly images: string | undefined },
  overrides: readonly string[] = [],
): Plan {
  if (from.model === undefined) {
    throw new TesseraError({
      code: 'recipe/missing',
      message: 'a data file alone does not say how its rows become tokens',
      path,
      remedy: 'add --model <folder>, whose tokenizer and prompt are then used',
    });
  }
  const data = { source: 'files', path, ...(from.images !== undefined && { images: from.images }) };
  const [architecture] = Object.keys(architectures);
  const objective = objectiveFor(locate(path), from.images);
  const stage = { name: 'rows', objective, trainable: ['**'], template: 'checkpoint', data: [data] };
  const model = { architecture, from: from.model };
  const recipe = {
    system: catalog.find(({ recipe }) => recipe !== undefined)?.name,
    model,
    stages: [stage],
    train: { steps: 1, lr: 1 },
  };
  return parsePlan(stringify(recipe), path, overrides);
}

/** The first objective that reads rows such as a file has them: one answer, or two. */
function objectiveFor(path: string, images: string | undefined): string | undefined {
  const names = Object.keys(methods);
  const views = viewsOf(path, images);
  return names.find((name) => sameWords(readViews(objectiveNamed(name)), views)) ?? names[0];
}

/** The views of the first row of a file; none where it cannot be read, which is told by who reads it. */
function viewsOf(path: string, images: string | undefined): string[] {
  try {
    for (const outcome of streamSamples(dataFile(path), { images, imagesLater: true })) {
      if ('kept' in outcome) return Object.keys(outcome.kept.views);
    }
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
  }
  return [];
}

function sameWords(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word) => b.includes(word));
}

/** A recipe as YAML. That of a plan has every default written out and gives the same plan again. */
export function formatRecipe(recipe: Recipe): string {
  return stringify(recipe, { lineWidth: 120, aliasDuplicateObjects: false });
}

function parseRecipe(text: string, file: string, overrides: readonly string[]): { recipe: Recipe; where: Where } {
  const lines = new LineCounter();
  const document = yamlDocument(text, file, lines, yaml);
  const named = underOwnNames(plainData(document, file, yaml), file);
  const { data, written, faults } = applyOverrides(named.data, overrides);
  // A section that is in no file was made by the override that reaches below it.
  const holderMade = (path: KeyPath) =>
    valueAt(named.data, path) === undefined ? written.findLast((place) => within(place.path, path)) : undefined;
  const where: Where = (path) => {
    const override = written.findLast((place) => within(path, place.path)) ?? holderMade(path);
    const key = spell(data, path);
    if (override) return `${key} (override ${brief(override.text)})`;
    const source = named.moved.get(key);
    const { line, col } = lines.linePos(offsetOf(document, source ? [source] : path));
    return `${file}:${line}:${col} ${source ?? key}`.trimEnd();
  };
  const result = recipeSchema.safeParse(data, { reportInput: true });
  const found = result.success
    ? []
    : [...faultsOf(result.error.issues, recipeSchema, data, where), ...checkModel(data, where)];
  raise([...named.faults, ...faults, ...found]);
  return { recipe: result.data as Recipe, where };
}

/** Whether a place is another one or lies below it. */
function within(path: KeyPath, above: KeyPath): boolean {
  return above.every((key, at) => path[at] === key);
}

/** Moves top-level keys that carry another tool's name to where they belong. */
function underOwnNames(data: unknown, file: string): { data: unknown; moved: Map<string, string>; faults: Fault[] } {
  const moved = new Map<string, string>();
  const faults: Fault[] = [];
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return { data, moved, faults };
  const copy: Record<string, unknown> = { ...data };
  for (const key of Object.keys(aliases).filter((alias) => Object.hasOwn(copy, alias))) {
    const here = renamed({ text: `${file} ${key}`, path: [key], value: copy[key] });
    delete copy[key];
    if ('code' in here) {
      faults.push(here);
      continue;
    }
    const [head, leaf] = here.path as [string, string];
    const holder = (copy[head] ?? {}) as Record<string, unknown>;
    if (Object.hasOwn(holder, leaf)) {
      const message = `${key} and ${head}.${leaf} say the same thing`;
      faults.push({ code: 'recipe/conflict', message, path: `${file} ${key}`, remedy: 'keep one of them' });
    }
    copy[head] = { ...holder, [leaf]: here.value };
    moved.set(`${head}.${leaf}`, key);
  }
  return { data: copy, moved, faults };
}

/** Where the deepest written part of a path begins: the key of a mapping, the entry of a list. */
function offsetOf(document: Document, path: KeyPath): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node) && typeof key === 'number' && node.items[key]) {
      node = node.items[key] as Node;
      offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
