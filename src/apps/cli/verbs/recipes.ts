import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { asTesseraError, TesseraError } from '../../../base/index.ts';
import { makeFolder, writeTextAtomically } from '../../../files/index.ts';
import type { OptionRow } from '../../../recipe/index.ts';
import { command } from '../called.ts';
import { outputWidth, table, wrap } from '../terminal/table.ts';
import { wrapLines } from '../terminal/wrap.ts';
import type { Verb } from '../verb.ts';
import { examples, noSuchVerb } from '../verb.ts';

export const recipesVerb: Verb = (session) => {
  const recipes = new Command('recipes')
    .description('list the thirty systems, what each needs and whether it works')
    .addHelpText('after', examples('recipes', 'recipes show llava', 'recipes copy llava my-llava.yaml'))
    .allowExcessArguments()
    .action(async (_, command: Command) => {
      if (command.args[0] !== undefined) throw noSuchVerb(command, command.args[0]);
      const { catalog, statusOf } = await import('../../../recipe/index.ts');
      const rows = catalog.map((system) => ({ ...system, status: statusOf(system) }));
      session.result(rows, () =>
        [
          table(
            ['name', 'family', 'paper', 'needs'].map((title) => ({ title })),
            rows.flatMap((row) =>
              row.status === 'planned'
                ? []
                : [
                    [row.name, row.family, `${row.authors} ${row.year}, ${row.cite}`, needsOf(row)],
                    ...(row.variants ?? []).map(({ name, does, needs }) => [`  ${name}`, '', does, needs]),
                  ],
            ),
          ),
          plannedText(rows.filter(({ status }) => status === 'planned')),
        ].join('\n\n'),
      );
    });
  recipes
    .command('show <name>')
    .description('print a recipe')
    .addHelpText('after', examples('recipes show llava'))
    .action(async (name: string) => {
      const { file, text } = await readRecipe(name);
      session.result({ file, text }, () => text.trimEnd());
    });
  recipes
    .command('copy <name> [to]')
    .description('copy a recipe to a file or folder, to change it there')
    .addHelpText('after', examples('recipes copy llava', 'recipes copy llava my-llava.yaml'))
    .action(async (name: string, to = '.') => {
      const { file, text } = await readRecipe(name);
      const target = /\.ya?ml$/.test(to) ? to : join(to, basename(file));
      copyTo(target, text);
      session.result({ file: target }, () => `wrote ${target}; run it with: ${command(`train ${target}`)}`);
    });
  recipes
    .command('options')
    .description('list every option of a recipe')
    .addHelpText('after', examples('recipes options'))
    .action(async () => {
      const { defaultOf, optionRows, recipeSchema } = await import('../../../recipe/index.ts');
      const rows = optionRows(recipeSchema, defaultOf);
      session.result(rows, () => (outputWidth() < WIDE ? stacked(rows) : optionsTable(rows)));
    });
  return recipes;
};

function needsOf({ needs = '', status }: { readonly needs?: string | undefined; readonly status: string }): string {
  return status === 'unproven' ? `${needs}; not yet shown to learn` : needs;
}

/** Systems without a recipe, a line a family. */
function plannedText(systems: readonly { readonly name: string; readonly family: string }[]): string {
  const families = [...new Set(systems.map(({ family }) => family))];
  const named = (family: string) => systems.filter((system) => system.family === family).map(({ name }) => name);
  return table(
    [{ title: 'planned' }, { title: 'systems' }],
    families.map((family) => [family, named(family).join(', ')]),
  );
}

/** Characters of a line in which four columns can be read. */
const WIDE = 140;

function optionsTable(rows: readonly OptionRow[]): string {
  return table(
    ['option', 'type', 'default', 'meaning'].map((title) => ({ title })),
    rows.map((row) => [row.path, row.type, row.default ?? '', row.description]),
  );
}

/** Options below each other, each with its meaning on lines of its own. */
function stacked(rows: readonly OptionRow[]): string {
  return rows
    .flatMap(({ path, type, description, ...row }) => {
      const given = row.default === undefined ? '' : ` (${row.default === 'required' ? '' : 'default '}${row.default})`;
      const [first, ...more] = wrap(`${path}: ${type}${given}`, outputWidth() - 2);
      return [first, ...more.map((line) => `  ${line}`), wrapLines(`    ${description}`, outputWidth())];
    })
    .join('\n');
}

async function readRecipe(name: string): Promise<{ file: string; text: string }> {
  const { findRecipe } = await import('../../../recipe/index.ts');
  const file = findRecipe(name);
  return { file, text: readFileSync(file, 'utf8') };
}

function copyTo(target: string, text: string): void {
  if (existsSync(target)) {
    throw new TesseraError({
      code: 'cli/exists',
      message: 'this file is there already',
      path: target,
      remedy: 'name another file: `tessera recipes copy <name> <file>`',
    });
  }
  try {
    makeFolder(dirname(resolve(target)));
    writeTextAtomically(target, text);
  } catch (error) {
    throw asTesseraError(error, {
      code: 'cli/write',
      path: target,
      remedy: 'name a file in a folder that can be written',
    });
  }
}
