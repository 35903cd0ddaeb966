// Writes the tables of README.md between their markers: the systems from recipes/catalog.yaml, and the scores from
// docs/results/<system>.json, each the eval.json of a run, and from docs/results/grid.json. With --check it writes nothing and fails when they are stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Evaluation } from '../src/eval/index.ts';
import { formatScores, gridTables } from '../src/eval/index.ts';
import { catalog, statusOf } from '../src/recipe/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = join(root, 'README.md');
const before = readFileSync(readme, 'utf8');
const records = readRecords(join(root, 'docs/results'));
const filled = fill(fill(before, 'systems', systemsTable()), 'results', resultsText());
const after = fill(filled, 'grid', gridText(join(root, 'docs/results/grid.json')));

if (after === before) console.log('README.md is up to date');
else if (process.argv.includes('--check')) {
  console.log('README.md is stale; run: npm run readme');
  process.exitCode = 1;
} else {
  writeFileSync(readme, after);
  console.log('wrote the tables of README.md');
}

function readRecords(folder: string): Map<string, Evaluation> {
  const files = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'grid.json')
    : [];
  const found = new Map(
    files.sort().map((file) => [basename(file, '.json'), JSON.parse(readFileSync(join(folder, file), 'utf8'))]),
  );
  const strange = [...found.keys()].filter((name) => titleOf(name) === undefined);
  if (strange.length > 0) throw new Error(`docs/results: no system or variant is called ${strange.join(', ')}`);
  return found;
}

/** What a record is called: its system, and the variant of it where it is one. */
function titleOf(name: string): string | undefined {
  const system = catalog.find((each) => each.name === name || each.variants?.some((variant) => variant.name === name));
  return system && (system.name === name ? system.title : `${system.title} (${name})`);
}

/** Puts text between `<!-- table:name -->` and `<!-- /table:name -->`. */
function fill(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- table:${name} -->`, `<!-- /table:${name} -->`];
  const [from, to] = [page.indexOf(open), page.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`README.md lacks ${open} … ${close}`);
  return `${page.slice(0, from + open.length)}\n${text}\n${page.slice(to)}`;
}

function systemsTable(): string {
  const systems = catalog.filter((system) => system.family !== 'Backbone');
  const working = systems.filter((system) => statusOf(system) === 'working').length;
  const rows = systems.map((system, at) => {
    const family = system.family === systems[at - 1]?.family ? '' : system.family;
    const recipe = system.recipe ? `[${basename(system.recipe)}](${system.recipe})` : '';
    return `| ${family} | ${system.title} | ${citation(system.cite)} | ${recipe} | ${status(system.name)} |`;
  });
  return [
    `${working} of ${systems.length} work.`,
    '',
    '| family | system | paper | recipe | status |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** A system is measured where its scores are committed. */
function status(name: string): string {
  const system = catalog.find((each) => each.name === name);
  if (!system || statusOf(system) === 'planned') return 'planned';
  if (statusOf(system) === 'unproven') return 'equals its reference, not yet shown to learn';
  return records.has(name) ? 'working, [measured](#results)' : 'working, not yet measured';
}

function citation(cite: string): string {
  const [, arxiv] = /^arXiv:(.+)$/.exec(cite) ?? [];
  return arxiv ? `[${cite}](https://arxiv.org/abs/${arxiv})` : `[${cite}](https://${cite})`;
}

/** A committed `grid.json`, bases and methods over all seeds. */
function gridText(file: string): string {
  return existsSync(file) ? gridTables(JSON.parse(readFileSync(file, 'utf8'))).summary : 'No grid is committed yet.';
}

function resultsText(): string {
  if (records.size === 0) return 'No scores are committed yet.';
  return [...records]
    .map(([name, evaluation]) => {
      const facts = `${titleOf(name)}, ${evaluation.date.slice(0, 10)}, seed ${evaluation.seed}`;
      return `${facts}:\n\n\`\`\`\n${formatScores(evaluation)}\n\`\`\``;
    })
    .join('\n\n');
}
