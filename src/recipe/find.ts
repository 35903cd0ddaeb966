import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { nearest, TesseraError } from '../base/index.ts';
import { catalog } from './catalog.ts';
import { locate } from './place.ts';

/** Every recipe of the catalog by its name. */
const recipes = new Map(
  catalog
    .flatMap((system) => [system, ...(system.variants ?? [])])
    .flatMap(({ name, recipe }) => (recipe === undefined ? [] : [[name, recipe] as const])),
);

/** Whether the catalog has a recipe of this name. */
export function hasRecipe(name: string): boolean {
  return recipes.has(name);
}

/** Whether the catalog gives a recipe or a system this name. */
export function isNameOfRecipe(name: string): boolean {
  return hasRecipe(name) || catalog.some((system) => system.name === name);
}

/**
 * The file of a recipe, given as a path or as a name that the catalog gives it.
 * @throws TesseraError `recipe/not-found`
 */
export function findRecipe(nameOrPath: string): string {
  const system = catalog.find(({ name }) => name === nameOrPath);
  const file = locate(recipes.get(nameOrPath) ?? nameOrPath);
  if (existsSync(file) && statSync(file).isFile()) return file;
  const near = nearest(basename(nameOrPath).replace(/\.ya?ml$/, ''), recipes.keys());
  throw new TesseraError({
    code: 'recipe/not-found',
    message: system ? `${system.title} has no recipe yet` : 'there is no such recipe',
    path: nameOrPath,
    expected: `a YAML file, or one of ${[...recipes.keys()].join(', ')}`,
    remedy: near && !system ? `did you mean ${near}?` : 'see `tessera recipes`',
  });
}
