import { join } from 'node:path';
import { Command, Option } from 'commander';
import { lookUp } from '../../../files/index.ts';
import type { Plan } from '../../../recipe/index.ts';
import type { DataCounts } from '../../../run/index.ts';
import type { Split } from '../../../world/index.ts';
import { exitCodes, type Session, Stopped } from '../session.ts';
import { isPlain } from '../terminal/plain.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples, templateOption, wholeIn } from '../verb.ts';

/** What says how the rows of a data file become tokens, and in which template rows are written. */
interface PlanFlags {
  model?: string;
  images?: string;
  template?: string;
}

interface InspectFlags extends PlanFlags {
  rows: number;
  stage?: string;
}

interface WorldFlags {
  out: string;
  split: Split;
  count: number;
  seed: number;
}

export const dataVerb: Verb = (session) => {
  const data = new Command('data')
    .description('look at training data, count it, or make some')
    .addHelpText('after', examples('data inspect llava', 'data make-world --out tabletop'));
  inspectVerb(data, session);
  reportVerb(data, session);
  makeWorldVerb(data, session);
  return data;
};

function inspectVerb(data: Command, session: Session): void {
  withPlanOptions(
    data.command('inspect').description('show rows as training sees them: tokens, image spans and what is supervised'),
  )
    .option('--rows <n>', 'rows to show', wholeIn(1, 10_000), 3)
    .option('--stage <name>', 'rows of this stage; of the first when absent')
    .addHelpText(
      'after',
      examples(
        'data inspect llava --stage instruct --rows 2',
        'data inspect rows.json --model llava-hf --images images',
      ),
    )
    .action(async (name: string, overrides: string[], { rows, stage, ...flags }: InspectFlags) => {
      const { inspectRows } = await import('../../../run/index.ts');
      const plan = await planOf(name, flags, overrides);
      const colour = process.stdout.isTTY === true && !isPlain() && process.env.NO_COLOR === undefined;
      const options = { rows, colour, ...(stage !== undefined && { stage }) };
      const { shown, report } = await session.watch((hooks) => inspectRows(plan, options, hooks));
      const refusals = report.rejected === 0 ? [] : [`refused:\n${report.format()}`];
      session.result({ rows: shown.map((row) => row.data), refused: report.reasons }, () =>
        [...shown.map((row) => row.text), ...refusals].join('\n\n'),
      );
    });
}

function reportVerb(data: Command, session: Session): void {
  withPlanOptions(
    data.command('report').description('count the rows that training would keep, and those it would refuse, by reason'),
  )
    .addHelpText('after', examples('data report llava', 'data report rows.json --model llava-hf --images images'))
    .action(async (name: string, overrides: string[], flags: PlanFlags) => {
      const { reportData } = await import('../../../run/index.ts');
      const plan = await planOf(name, flags, overrides);
      const counts = await session.watch((hooks) => reportData(plan, hooks));
      session.result(counts, () => countsText(counts));
      // Training would refuse such a stage.
      if (counts.some(({ kept }) => kept === 0)) throw new Stopped(exitCodes.fault);
    });
}

function makeWorldVerb(data: Command, session: Session): void {
  data
    .command('make-world')
    .description('write tabletop images and their annotation files')
    .requiredOption('--out <folder>', 'where to write')
    .addOption(
      new Option('--split <split>', 'which scenes')
        .choices(['train', 'val', 'compositional', 'flipped'])
        .default('train'),
    )
    .option('--count <n>', 'scenes', wholeIn(1, 1e7), 1000)
    .option('--seed <n>', 'seed of the scenes', wholeIn(0, 2 ** 31 - 1), 0)
    .addHelpText('after', examples('data make-world --out tabletop --count 200'))
    .action(async ({ out, split, count, seed }: WorldFlags) => {
      const { makeWorld } = await import('../../../run/index.ts');
      const world = await session.watch((hooks) => makeWorld({ out, split, count, seed }, hooks));
      session.result(world, () =>
        table(
          [{ title: 'file' }, { title: 'rows', align: 'right' }],
          Object.entries(world.files).map(([file, rows]) => [join(out, file), `${rows}`]),
        ),
      );
    });
}

/** What rows are looked at: those of a recipe, or of a data file or a folder of data with a model to read them. */
function withPlanOptions(verb: Command): Command {
  return verb
    .argument('<recipe or data>', 'a system of `tessera recipes`, a YAML file, or a data file or its folder')
    .argument('[overrides...]', 'key=value, as for train')
    .option('--model <folder>', 'for a data file: the model folder whose tokenizer and prompt are used')
    .option('--images <folder>', 'for a data file: the folder that it names images from')
    .addOption(templateOption());
}

async function planOf(name: string, { model, images, template }: PlanFlags, overrides: string[]): Promise<Plan> {
  const { filePlan, isNameOfRecipe, loadPlan } = await import('../../../recipe/index.ts');
  const isData = DATA.test(name) || (!isNameOfRecipe(name) && lookUp(name)?.kind === 'folder');
  const plan = isData ? filePlan(name, { model, images }, overrides) : loadPlan(name, overrides);
  if (template === undefined) return plan;
  return { ...plan, stages: plan.stages.map((stage) => ({ ...stage, template })) };
}

const DATA = /\.(json|jsonl|ndjson|txt|csv|tsv|parquet|arrow|tar|zip)$/i;

/** How many rows of each source were kept and refused, and the first of those refused. */
function countsText(counts: readonly DataCounts[]): string {
  const rows = table(
    [{ title: 'source' }, { title: 'rows', align: 'right' }, { title: 'what became of them' }],
    counts.flatMap(({ source, kept, used, refused }) => [
      [source, `${kept}`, used === undefined ? 'kept' : `kept, ${used} of them used by its steps`],
      ...Object.entries(refused).map(([reason, count]) => ['', `${count}`, `refused: ${reason}`]),
    ]),
  );
  const examples = counts.flatMap((count) => count.examples);
  return examples.length === 0 ? rows : `${rows}\n\nrefused, the first of each kind:\n  ${examples.join('\n  ')}`;
}
