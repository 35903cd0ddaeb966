import { basename } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import { type ComparedRun, type Comparison, type Evaluation, headlines, type StageCurves } from '../../eval/index.ts';
import { type RunFiles, readRun, summaryOf } from './summary.ts';

/**
 * Runs side by side: where their recipes differ, what they reached, and how their losses fell.
 * @throws TesseraError `run/compare` for fewer than two runs; `run/no-run` and the faults of their files.
 */
export function compareRuns(folders: readonly string[]): Comparison {
  if (folders.length < 2) {
    throw new TesseraError({
      code: 'run/compare',
      message: 'a comparison takes two runs or more',
      got: `${folders.length}`,
      remedy: '`tessera runs` lists them',
    });
  }
  const files = folders.map(readRun);
  return {
    runs: files.map(comparedRun),
    settings: [...recipeDifferences(files), ...evaluationDifferences(files)],
    scores: scoreRows(files),
    curves: stageCurves(files),
  };
}

function comparedRun(files: RunFiles, _: number, all: readonly RunFiles[]): ComparedRun {
  const { name, folder, system = '', status, seconds, bytes } = summaryOf(files);
  // Two runs of one name are told apart by their folders.
  const shared = all.filter(({ run }) => basename(run.path) === name).length > 1;
  return { name: shared ? folder : name, folder, system, status, seconds, bytes };
}

/** Settings by the keys that overrides use: `stages.align.train.lr`. Lists of plain values are one setting. */
function flatten(value: unknown, key = ''): Map<string, string> {
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    const named = value.map((item, i): [string, unknown] => [item?.name ?? `${i}`, item]);
    return flatten(Object.fromEntries(named), key);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[key, Array.isArray(value) ? value.join(', ') : String(value)]]);
  }
  const below = Object.entries(value).map(([name, item]) => flatten(item, key === '' ? name : `${key}.${name}`));
  return new Map(below.flatMap((entries) => [...entries]));
}

/** What every run does alike says nothing; where each keeps its files says nothing either. */
function differences(settings: readonly ReadonlyMap<string, string>[]): Comparison['settings'] {
  const keys = [...new Set(settings.flatMap((map) => [...map.keys()]))].filter((key) => key !== 'output.folder');
  return keys
    .map((key) => ({ key, values: settings.map((map) => map.get(key) ?? null) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** What the recipe wants of an evaluation says nothing where every run says what it was asked. */
function recipeDifferences(files: readonly RunFiles[]): Comparison['settings'] {
  const allAsked = files.every(({ evaluation }) => evaluation?.settings);
  const found = differences(files.map(({ plan }) => flatten(plan.resolved)));
  return allAsked ? found.filter(({ key }) => !key.startsWith('eval.')) : found;
}

/** What scores side by side were asked with, where that differs. A run without scores has no say in it. */
function evaluationDifferences(files: readonly RunFiles[]): Comparison['settings'] {
  const asked = files.map(({ evaluation }) => (evaluation?.settings ? evaluationSettings(evaluation) : undefined));
  const known = asked.filter((map) => map !== undefined);
  return differences(known).map(({ key }) => ({ key, values: asked.map((map) => map?.get(key) ?? null) }));
}

function evaluationSettings({ settings, seed }: Evaluation): Map<string, string> {
  const defaults = { limit: 'all', data: 'tabletop', quantize: 'none' };
  return flatten({ ...defaults, ...settings, seed }, 'eval');
}

/** Headline scores, in the order in which the runs first name them. */
function scoreRows(files: readonly RunFiles[]): Comparison['scores'] {
  const found = files.map(({ evaluation }) => {
    const scores = evaluation ? headlines(evaluation) : [];
    return new Map(scores.map((score) => [`${score.task} ${score.group} ${score.metric.name}`, score]));
  });
  const rows = new Map(found.flatMap((scores) => [...scores]));
  return [...rows].map(([key, { task, group, metric }]) => {
    const estimates = found.map((scores) => scores.get(key)?.result.sighted ?? null);
    return { task, group, metric, estimates };
  });
}

function stageCurves(files: readonly RunFiles[]): readonly StageCurves[] {
  const stages = [...new Set(files.flatMap(({ metrics }) => metrics.map(({ stage }) => stage)))];
  return stages.map((stage) => ({
    stage,
    runs: files.map(({ metrics }) => {
      const rows = metrics.filter((row) => row.stage === stage);
      return {
        loss: rows.flatMap(({ step, loss }) => (loss === undefined ? [] : [{ x: step, y: loss }])),
        heldOut: rows.flatMap(({ step, held_out_loss: y }) => (y === undefined ? [] : [{ x: step, y }])),
      };
    }),
  }));
}
