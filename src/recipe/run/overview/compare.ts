import { basename } from 'node:path';
import { TesseraError } from '../../../base/index.ts';
import type { ComparedRun, Comparison, StageCurves } from '../../../eval/index.ts';
import { type RunFiles, readRun, summarizeRun } from './summary.ts';

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
    runs: folders.map(comparedRun),
    settings: differences(files.map(({ plan }) => flatten(plan.resolved))),
    scores: scoreRows(files),
    curves: stageCurves(files),
  };
}

function comparedRun(folder: string, _: number, all: readonly string[]): ComparedRun {
  const { name, system = '', status, seconds, bytes } = summarizeRun(folder);
  // Two runs of one name are told apart by their folders.
  const shared = all.filter((other) => basename(other) === name).length > 1;
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

/** Headline scores, in the order in which the runs first name them. */
function scoreRows(files: readonly RunFiles[]): Comparison['scores'] {
  const rows = new Map<string, Comparison['scores'][number]>();
  for (const { evaluation } of files) {
    for (const { task, metrics, groups } of evaluation?.tasks ?? []) {
      for (const group of Object.keys(groups)) {
        for (const metric of metrics.filter(({ headline }) => headline)) {
          const key = `${task} ${group} ${metric.name}`;
          if (!rows.has(key))
            rows.set(key, { task, group, metric, estimates: estimates(files, task, group, metric.name) });
        }
      }
    }
  }
  return [...rows.values()];
}

function estimates(files: readonly RunFiles[], task: string, group: string, metric: string) {
  return files.map(({ evaluation }) => {
    const found = evaluation?.tasks.find((result) => result.task === task);
    return found?.groups[group]?.[metric]?.sighted ?? null;
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
