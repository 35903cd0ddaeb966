import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { nearest, TesseraError } from '../base/index.ts';
import { catalog } from './catalog.ts';
import { locate } from './place.ts';

/**
 * The file of a recipe, given as a path or as the name of a system of the catalog.
 * @throws TesseraError `recipe/not-found`
 */
export function findRecipe(nameOrPath: string): string {
  const system = catalog.find(({ name }) => name === nameOrPath);
  const file = locate(system?.recipe ?? nameOrPath);
  if (existsSync(file) && statSync(file).isFile()) return file;
  const names = catalog.filter(({ recipe }) => recipe !== undefined).map(({ name }) => name);
  const near = nearest(basename(nameOrPath).replace(/\.ya?ml$/, ''), names);
  throw new TesseraError({
    code: 'recipe/not-found',
    message: system ? `${system.title} has no recipe yet` : 'there is no such recipe',
    path: nameOrPath,
    expected: `a YAML file, or one of ${names.join(', ')}`,
    remedy: near && !system ? `did you mean ${near}?` : 'see `tessera recipes`',
  });
}
