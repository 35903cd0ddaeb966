import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Fault } from '../base/index.ts';
import { isDataThere } from '../data/index.ts';
import { architectures, type SystemRecipe } from '../models/index.ts';
import { catalog } from './catalog.ts';
import { hasRecipe } from './find.ts';
import { locate } from './place.ts';
import type { Plan } from './plan.ts';

/** Inputs that a plan names and that are not there; empty when all is well. */
export function missingInputs(plan: Plan): Fault[] {
  const { model } = plan;
  const named: [string, string | undefined][] = [
    ['model.from', model.from],
    ['model.adapter', model.adapter],
    ...folderKeys(model).map((key): [string, string | undefined] => [`model.${key}`, model[key] as string | undefined]),
  ];
  for (const stage of plan.stages) {
    stage.data.forEach((data, at) => {
      if (data.source !== 'files') return;
      named.push([`stages.${stage.name}.data.${at}.path`, data.path]);
      named.push([`stages.${stage.name}.data.${at}.images`, data.images]);
    });
  }
  return absent(named, plan);
}

/** What the making of pairs reads and is not there. */
export function missingFeedbackInputs(plan: Plan): Fault[] {
  const { from, adapter, judge, data = [] } = plan.feedback ?? {};
  const other = judge?.kind === 'model' ? judge : undefined;
  const files = data.flatMap((source, at): [string, string | undefined][] =>
    source.source === 'files'
      ? [
          [`feedback.data.${at}.path`, source.path],
          [`feedback.data.${at}.images`, source.images],
        ]
      : [],
  );
  const folders: [string, string | undefined][] = [
    ['feedback.from', from],
    ['feedback.adapter', adapter],
    ['feedback.judge.from', other?.from],
    ['feedback.judge.adapter', other?.adapter],
  ];
  return absent([...folders, ...files], plan);
}

function absent(named: readonly (readonly [key: string, path: string | undefined])[], plan: Plan): Fault[] {
  return named.flatMap(([key, path]) =>
    path === undefined || isThere(key, locate(path))
      ? []
      : [
          {
            code: 'recipe/no-input',
            message: 'an input of this recipe is not there',
            path: key,
            got: path,
            ...maker(path, plan),
          },
        ],
  );
}

const isThere = (key: string, path: string) => (/\.data\.\d+\.path$/.test(key) ? isDataThere(path) : existsSync(path));

/** The keys of a model's architecture that name folders. */
function folderKeys({ architecture }: Plan['model']): string[] {
  const { keys } = architectures[architecture] as SystemRecipe;
  return Object.keys(keys).filter((key) => keys[key]?.value === 'folder');
}

/** For what another recipe makes, or the recipe's own section of feedback, the command that makes it. */
function maker(path: string, { name, feedback }: Plan): { remedy: string } | undefined {
  if (feedback && `${resolve(path)}/`.startsWith(`${resolve(feedback.folder)}/`)) {
    return { remedy: `make it with \`tessera feedback ${name}\`, with the same overrides` };
  }
  const run = /^runs\/([^/]+)(?:\/model)?\/?$/.exec(path)?.[1];
  if (run !== undefined && hasRecipe(run)) return { remedy: `make it with \`tessera train ${run}\`` };
  const backbone = catalog.find(({ name }) => dirname(path).endsWith('backbones') && basename(path) === name);
  return (
    backbone && {
      remedy: `make it with \`tessera train ${backbone.name}\` and \`tessera export runs/${backbone.name} --to hf --out ${path}\``,
    }
  );
}
