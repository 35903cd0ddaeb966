import { stringify } from 'yaml';
import type { DataReport } from '../../data/index.ts';
import type { Model } from '../../models/index.ts';
import { catalog } from '../catalog.ts';
import { formatRecipe } from '../load.ts';
import type { Plan } from '../plan.ts';
import type { StageSummary } from './types.ts';

/** The README.md of a trained model: what it is, how it was trained, on what, and how to use it. */
export function modelCard(plan: Plan, model: Model, stages: readonly StageSummary[], report: DataReport): string {
  const system = catalog.find(({ name }) => name === plan.system);
  const front = {
    library_name: 'tessera',
    tags: ['tessera', plan.system, plan.model.architecture],
    ...(plan.model.from !== undefined && { base_model: plan.model.from }),
  };
  const rows = stages.map(
    (s) =>
      `| ${s.name} | ${s.steps} | ${s.loss.toFixed(4)} | ${s.trained.toLocaleString('en')} of ${s.parameters.toLocaleString('en')} |`,
  );
  return [
    `---\n${stringify(front)}---`,
    `# ${plan.name}`,
    `${system ? `${system.title} (${system.year})` : plan.system}, trained by the recipe \`${plan.name}\`.`,
    '## Use',
    `\`\`\`\n${usage(plan, model)}\n\`\`\``,
    '## Training',
    ['| stage | steps | last loss | trained parameters |', '|---|---|---|---|', ...rows].join('\n'),
    `Rows: ${report.kept} kept, ${report.rejected} refused.`,
    `## Recipe\n\n\`\`\`yaml\n${formatRecipe(plan.resolved)}\`\`\``,
    '',
  ].join('\n\n');
}

/** A model that writes text is talked to; one that only sees lends its eyes. */
function usage({ output: { folder } }: Plan, model: Model): string {
  if (model.kind !== 'causal') return `tessera train llava model.vision=${folder}/model`;
  return `tessera chat ${folder}${model.picture ? ' --image picture.png' : ''}`;
}
