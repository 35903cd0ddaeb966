import { existsSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { stringify } from 'yaml';
import type { DataReport } from '../data/index.ts';
import { architectures, type Model } from '../models/index.ts';
import type { Plan } from '../recipe/index.ts';
import { catalog, formatRecipe } from '../recipe/index.ts';

/** What a card says of a stage. */
export interface TrainedStage {
  readonly name: string;
  readonly steps: number;
  readonly loss: number;
  /** Numbers of parameters trained, and in all. */
  readonly trained: number;
  readonly parameters: number;
}

/** The README.md of a trained model: what it is, how it was trained, on what, and how to use it. */
export function modelCard(plan: Plan, model: Model, stages: readonly TrainedStage[], report: DataReport): string {
  const system = catalog.find(({ name }) => name === plan.system);
  const base = plan.model.from === undefined ? undefined : hubName(model);
  const front = {
    library_name: 'tessera',
    tags: [...new Set(['tessera', plan.system, plan.model.architecture])],
    ...(base !== undefined && { base_model: base }),
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
    `\`\`\`\n${usage(model)}\n\`\`\``,
    '## Training',
    ['| stage | steps | last loss | trained parameters |', '|---|---|---|---|', ...rows].join('\n'),
    `Rows: ${report.kept} kept, ${report.rejected} refused.`,
    `## Recipe\n\n\`\`\`yaml\n${formatRecipe(recipeOfCard(plan))}\`\`\``,
    '',
  ].join('\n\n');
}

/** An architecture that is built round a vision tower. */
const takesVision = Object.keys(architectures).find((name) => Object.hasOwn(architectures[name]?.keys ?? {}, 'vision'));

/** A model that writes text is talked to; one that only sees lends its eyes. */
function usage(model: Model): string {
  if (!model.writer) return `tessera train ${takesVision} model.vision=<this folder>`;
  return `tessera chat <this folder>${model.image ? ' --image picture.png' : ''}`;
}

/** What the base calls itself, if that is a name of the hub: paths of the machine it was trained on tell others nothing. */
export function hubName({ json }: Model): string | undefined {
  const name = json._name_or_path;
  return typeof name === 'string' && /^[\w-][\w.-]*\/[\w.-]+$/.test(name) && !existsSync(name) ? name : undefined;
}

/** The recipe without the folder that this run went to. */
function recipeOfCard({ resolved }: Plan): Plan['resolved'] {
  const { folder: _, ...output } = resolved.output ?? {};
  return portable({ ...resolved, output });
}

/** Data whose absolute paths are cut to their last names: where something lies on this machine tells others nothing. */
export function portable<T>(value: T): T {
  if (typeof value === 'string') return (isAbsolute(value) ? basename(value) : value) as T;
  if (Array.isArray(value)) return value.map(portable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, portable(part)])) as T;
}
