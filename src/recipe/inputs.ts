import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Fault } from '../base/index.ts';
import { catalog } from './catalog.ts';
import { locate } from './place.ts';
import type { Plan } from './plan.ts';

/** Inputs that a plan names and that are not there; empty when all is well. */
export function missingInputs(plan: Plan): Fault[] {
  const { model } = plan;
  const named: [string, string | undefined][] = [
    ['model.from', model.from],
    ['model.adapter', 'adapter' in model ? model.adapter : undefined],
    ['model.vision', 'vision' in model ? model.vision : undefined],
    ['model.language', 'language' in model ? model.language : undefined],
    ['model.tokenizer', 'tokenizer' in model ? model.tokenizer : undefined],
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

/** For a folder that a backbone recipe makes, the command that makes it. */
function maker(path: string): { remedy: string } | undefined {
  const backbone = catalog.find(({ name }) => dirname(path).endsWith('backbones') && basename(path) === name);
  return (
    backbone && {
      remedy: `make it with \`tessera train ${backbone.name}\` and \`tessera export runs/${backbone.name} --to hf --out ${path}\``,
    }
  );
}
