import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Fault } from '../base/index.ts';
import { architectures, type SystemRecipe } from '../models/index.ts';
import { catalog } from './catalog.ts';
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
  return named.flatMap(([key, path]) =>
    path === undefined || existsSync(locate(path))
      ? []
      : [
          {
            code: 'recipe/no-input',
            message: 'an input of this recipe is not there',
            path: key,
            got: path,
            ...maker(path),
          },
        ],
  );
}

/** The keys of a model's architecture that name folders. */
function folderKeys({ architecture }: Plan['model']): string[] {
  const { keys } = architectures[architecture] as SystemRecipe;
  return Object.keys(keys).filter((key) => keys[key]?.value === 'folder');
}

/** For a folder that a backbone recipe makes, the command that makes it. */
function maker(path: string): { remedy: string } | undefined {
  const backbone = catalog.find(({ name }) => dirname(path).endsWith('backbones') && basename(path) === name);
  return (
    backbone && {
      remedy: `make it with \`tessera train ${backbone.name}\` and \`tessera export runs/${backbone.name} --to hf --out ${path}\``,
    }
  );
}
