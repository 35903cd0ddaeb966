import type { DataRecipe } from './schema.ts';

/** Values of a stage that neither it nor the recipe gives. AdamW, clipping and warm-up as the LLaVA family trains. */
export const trainDefaults = {
  seed: 0,
  batch: 8,
  accumulate: 1,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  schedule: 'cosine',
  warmup_ratio: 0.03,
  clip: 1,
  save_every: 0,
  eval_every: 0,
  log_every: 10,
  max_length: 2048,
  recompute: false,
} as const;

export const loraDefaults = { dropout: 0, targets: ['all-linear'], use_rslora: false, use_dora: false };

export const stageDefaults = { template: 'text' } as const;
const dataDefaults = { split: 'train', seed: 0, format: 'auto' } as const;
export const feedbackDefaults = { answers: 4, temperature: 0.7, top_p: 1, max_tokens: 128, seed: 0 } as const;
export const judgeDefaults = {
  oracle: { noise: 0 },
  http: { max_tokens: 1024, timeout: 120, retries: 5, concurrency: 4 },
  model: { max_tokens: 1024 },
} as const;
export const outputDefaults = { dtype: 'float32' } as const;

const sections: readonly (readonly [RegExp, Readonly<Record<string, unknown>>])[] = [
  [/^(?:stages\.<stage>\.)?train$/, trainDefaults],
  [/^(?:stages\.<stage>\.)?lora$/, { ...loraDefaults, alpha: '2 r' }],
  [/^stages\.<stage>$/, stageDefaults],
  [/^stages\.<stage>\.data\.<n>$/, dataDefaults],
  [/^feedback$/, { ...feedbackDefaults, from: 'model.from', folder: 'runs/<recipe>-pairs' }],
  [/^feedback\.data\.<n>$/, dataDefaults],
  [/^feedback\.judge$/, Object.assign({}, ...Object.values(judgeDefaults))],
  [/^output$/, { ...outputDefaults, folder: 'runs/<recipe>' }],
];

/** The default of an option by its dotted key, where it has one. */
export function defaultOf(path: string): unknown {
  const [section, key] = [path.replace(/\.?[^.]*$/, ''), path.split('.').at(-1) as string];
  return sections.find(([at]) => at.test(section))?.[1][key];
}

/** A data source with its defaults. */
export function withDataDefaults(data: DataRecipe): DataRecipe {
  return data.source === 'tabletop'
    ? { ...data, split: data.split ?? dataDefaults.split, seed: data.seed ?? dataDefaults.seed }
    : { ...data, format: data.format ?? dataDefaults.format };
}
