import { type Fault, formatFault, nearest, TesseraError } from '../base/index.ts';
import { DataReport, describeExample, formatExample } from '../data/index.ts';
import type { Plan, StagePlan } from '../recipe/index.ts';
import type { SampleRows } from '../train/index.ts';
import { endFault } from './ending.ts';
import { buildParts } from './parts.ts';
import { usedByStage } from './prepare.ts';
import { readStage, sourceRows, stageEncoder, stageObjective, stageTemplate, stageTexts } from './rows.ts';
import type { DataCounts, Hooks } from './types.ts';

/** Counts rows of every stage of a plan as training would keep or refuse them. */
export async function reportData(plan: Plan, hooks: Hooks): Promise<readonly DataCounts[]> {
  const parts = await buildParts(plan, () => stageTexts(plan.stages, hooks));
  const counts: DataCounts[] = [];
  for (const stage of plan.stages) {
    const data = await readStage(stage, parts, hooks);
    const { report } = data;
    warn(endFault(stage, data, parts), hooks);
    const used = data.samples.length === 0 ? 0 : usedByStage(stage, data).size;
    counts.push({
      source: `${stage.name}: ${report.sources.map(({ file }) => file).join(', ')}`,
      kept: report.kept,
      ...(used < data.samples.length && { used }),
      refused: Object.fromEntries(report.reasons.map(({ code, count }) => [code, count])),
      examples: report.reasons.flatMap(({ examples }) =>
        examples.map(({ path, message, got, remedy }) =>
          [
            `${path}: ${message}${got === undefined ? '' : ` (${got})`}`,
            ...(remedy === undefined ? [] : [remedy]),
          ].join('; '),
        ),
      ),
    });
  }
  return counts;
}

/** Tells what training would refuse for. */
function warn(fault: Fault | undefined, { log }: Hooks): void {
  if (fault) log.warn(formatFault(fault));
}

/** Rows as training sees them, and what became of those it would refuse. */
export interface Inspection {
  readonly shown: readonly { readonly text: string; readonly data: unknown }[];
  /** The refused rows of the files, and those refused in the place of one that is shown. */
  readonly report: DataReport;
}

/**
 * Rows as training sees them, rendered for reading: tokens, image spans and what is supervised. Refused rows are passed
 * over and counted, with reasons.
 * @throws TesseraError `data/no-rows` when none is left, `recipe/unknown-stage`
 */
export async function inspectRows(
  plan: Plan,
  options: { readonly stage?: string; readonly rows: number; readonly colour: boolean },
  hooks: Hooks,
): Promise<Inspection> {
  const stage = chosenStage(plan, options.stage);
  const parts = await buildParts(plan, () => stageTexts(plan.stages, hooks));
  const template = stageTemplate(stage, parts);
  const encode = stageEncoder(stage, template, parts);
  const report = new DataReport();
  const shown: { text: string; data: unknown }[] = [];
  const samples: SampleRows[] = [];
  for (const data of stage.data) {
    const { rows, file, format } = await sourceRows(data, stageObjective(stage), report, hooks);
    for (const row of rows) {
      if (shown.length === options.rows) break;
      const outcome = encode(row);
      if ('refused' in outcome) report.withdraw(file, format, outcome.refused);
      else {
        samples.push(outcome.kept);
        const texts = outcome.kept.map((row) => formatExample(row, parts.tokenizer, { color: options.colour }));
        const data = outcome.kept.map((row) => describeExample(row, parts.tokenizer));
        shown.push({ text: texts.join('\n'), data: data.length === 1 ? data[0] : data });
      }
    }
  }
  if (shown.length === 0) report.check();
  warn(endFault(stage, { samples, template }, parts), hooks);
  return { shown, report };
}

function chosenStage(plan: Plan, name: string | undefined): StagePlan {
  const stage = name === undefined ? plan.stages[0] : plan.stages.find((candidate) => candidate.name === name);
  if (stage) return stage;
  const names = plan.stages.map((candidate) => candidate.name);
  const near = nearest(name ?? '', names);
  throw new TesseraError({
    code: 'recipe/unknown-stage',
    message: 'the recipe has no such stage',
    expected: names.join(', '),
    got: `${name}`,
    ...(near && { remedy: `did you mean ${near}?` }),
  });
}
