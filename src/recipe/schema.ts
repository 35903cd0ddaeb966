import { z } from 'zod';
import { builtinTemplateNames, type FormatOptionName, formatNames, formatOptions } from '../data/index.ts';
import { taskNames } from '../eval/index.ts';
import { architectures, type RecipeKey, type SystemRecipe } from '../models/index.ts';
import { methods } from '../train/index.ts';
import { splits, topics, trainingTasks } from '../world/index.ts';
import { feedbackSection } from './feedback-section.ts';
import { type Option, option, optional, section, words, wordsOf } from './option.ts';

const count = z.int().positive().max(1_000_000_000);
const countOrZero = z.int().nonnegative().max(1_000_000_000);
const positive = z.number().positive().max(1e6);
const nonNegative = z.number().nonnegative().max(1e6);
const fraction = z.number().min(0).lt(1);
const file = z.string().min(1);
const templateFile = z
  .string()
  .regex(/[/\\]|\.(jinja|json)$/, { error: 'expected the path of a template', abort: true })
  .meta({ title: 'file' });
const name = z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'expected lower-case letters, digits, dots and dashes');
const size = z.enum(['tiny', 'small', '7b', '13b']);

/** What one stage's optimizer does. The same keys at the top of a recipe are the defaults of all its stages. */
const trainSection = section({
  seed: optional(countOrZero, 'seed of every random stream of the run'),
  steps: optional(count, 'optimizer steps; give either steps or epochs'),
  epochs: optional(positive, 'passes over the data; give either steps or epochs'),
  batch: optional(count.max(65_536), 'rows of one forward and backward pass'),
  accumulate: optional(count.max(65_536), 'passes whose gradients make one optimizer step'),
  lr: optional(positive, 'peak learning rate'),
  lr_for: optional(z.record(z.string(), nonNegative), 'other peak learning rates, by parameter pattern'),
  betas: optional(z.tuple([fraction, fraction]), 'decay of the first and second moment of AdamW'),
  eps: optional(positive, 'epsilon of AdamW'),
  weight_decay: optional(nonNegative, 'decoupled weight decay, on matrices alone'),
  schedule: optional(z.enum(['cosine', 'linear', 'constant']), 'how the learning rate falls after the warm-up'),
  warmup_ratio: optional(fraction, 'share of the steps in which the learning rate rises'),
  clip: optional(nonNegative, 'largest global norm of the gradient; 0 never clips'),
  save_every: optional(countOrZero, 'steps between checkpoints; 0 saves at the end of the stage alone'),
  eval_every: optional(countOrZero, 'steps between evaluations; 0 evaluates at the end of the stage alone'),
  log_every: optional(count, 'steps between lines of metrics.jsonl'),
  max_length: optional(count, 'longest row in tokens, images included; longer rows are refused and counted'),
  recompute: optional(
    z.boolean(),
    'compute the insides of layers twice and not keep them: less memory, more time, the same result',
  ),
  threads: optional(count.max(1024), 'threads of the engine; all cores when absent'),
});

const loraSection = section({
  r: optional(count.max(65_536), 'rank'),
  alpha: optional(positive, 'scale; the update is multiplied by alpha / r; twice the rank when absent'),
  dropout: optional(fraction, 'dropout before the first factor'),
  targets: optional(
    words,
    'linear layers that get adapters, by last name, or all-linear for those of the language model',
  ),
  use_rslora: optional(z.boolean(), 'rsLoRA: the update is multiplied by alpha / sqrt(r)'),
  use_dora: optional(z.boolean(), 'DoRA: every row of an adapted weight also learns its length'),
  plus: optional(words, 'parameters trained fully beside the adapters'),
});

const lora = z.union([z.literal(false), loraSection]);

const share = z.number().min(0).max(1);

/** The options that formats have, each with the formats that it is for. */
const formatSection = Object.fromEntries(
  Object.entries(formatOptions).map(([key, { describe, value, formats }]) => [
    key,
    optional(value === 'file' ? file : z.string(), `for ${formats.join(', ')}: ${describe}`),
  ]),
) as Readonly<Record<FormatOptionName, Option<z.ZodOptional<z.ZodString>>>>;

const dataSection = z.discriminatedUnion('source', [
  section({
    source: option(z.literal('tabletop'), 'where rows come from'),
    task: option(z.enum(trainingTasks), 'which rows the tabletop world writes'),
    split: optional(z.enum(splits), 'scenes to take; train when absent'),
    scenes: option(count, 'scenes that rows are written about'),
    seed: optional(countOrZero, 'seed of the scenes'),
    kinds: optional(
      section({
        conversation: optional(share, 'share of the scenes that are talked about'),
        detail: optional(share, 'share of the scenes that are described in detail'),
        reasoning: optional(share, 'share of the scenes that are reasoned about'),
      }),
      'for instructions: how many of each kind',
    ),
    objects: optional(z.tuple([count.max(5), count.max(5)]), 'fewest and most objects of a scene; 1 to 5 when absent'),
    turns: optional(z.tuple([count, count]), 'fewest and most questions of a conversation'),
    topics: optional(z.array(z.enum(topics)).min(1), 'what conversations ask about; everything when absent'),
    cooccurrence: optional(share, 'how often answers tell of what often keeps company and is not there; 0 when absent'),
    suffix: formatSection.suffix,
  }),
  section({
    source: option(z.literal('files'), 'where rows come from'),
    format: optional(
      z.enum(['auto', ...formatNames]),
      'layout of the file; recognised from its first rows when absent',
    ),
    path: option(file, 'the file, its folder, or the Parquet files of a pattern such as train-*.parquet'),
    images: optional(file, "folder that the file names images from; the file's own when absent"),
    ...formatSection,
    count: optional(count, 'rows to take; all when absent'),
  }),
]);

/** The options that objectives have, each with those that have it. */
const lossOptions = Object.entries(methods).reduce<Record<string, { names: string[]; says: string; value: unknown }>>(
  (known, [name, { options }]) => {
    for (const [key, { says, value }] of Object.entries(options)) {
      known[key] = { says, value, names: [...(known[key]?.names ?? []), name] };
    }
    return known;
  },
  {},
);

const lossSection = section(
  Object.fromEntries(
    Object.entries(lossOptions).map(([key, { names, says, value }]) => [
      key,
      optional(typeof value === 'boolean' ? z.boolean() : nonNegative, `for ${names.join(', ')}: ${says}`),
    ]),
  ) as Readonly<Record<string, Option<z.ZodOptional<z.ZodBoolean | z.ZodNumber>>>>,
);

const saysOfMethods = Object.values(methods)
  .map(({ says }) => says)
  .join(', or ');

const stageSection = section({
  name: option(name, 'short name, also the folder of its checkpoints'),
  objective: option(z.enum(Object.keys(methods)), `loss: ${saysOfMethods}`),
  loss: optional(lossSection, 'what the objective can be told'),
  reference: optional(
    z.enum(['copy', 'adapter', 'cache']),
    'what an objective over pairs compares with: copy keeps the weights that the stage begins with, adapter switches the adapters off, ' +
      'cache asks for every row once before the first step and keeps it on disk; adapter where adapters alone are trained, copy otherwise',
  ),
  trainable: option(words, 'patterns of the parameters that are trained; all others stay as they are'),
  template: optional(
    z.union([z.enum([...builtinTemplateNames, 'checkpoint']), templateFile]),
    'prompt that rows are written in; checkpoint takes the one in the model folder; a path names a chat template',
  ),
  add_end: optional(
    z.boolean(),
    'for a prompt that ends no answer: true teaches an end-of-sequence token after the last, false trains without an end; when absent such a stage is refused',
  ),
  pictures: optional(z.enum(['crop', 'pad']), 'how an image becomes a square; as the model folder says when absent'),
  data: option(z.array(dataSection).min(1), 'where the rows come from; several sources are mixed by their counts'),
  train: optional(trainSection, 'what differs from the defaults of the recipe'),
  lora: optional(lora, 'adapters in the place of the language model; false for none'),
});

const from = optional(
  file,
  'Hugging Face folder to start from; it stands for size, projector, towers and tokenizer together',
);

const adapter = optional(
  file,
  'LoRA adapter in PEFT layout beside model.from: the first stage goes on from it, or from the sum where it trains none',
);

/** The keys of each architecture are those of its system. */
function architectureSection([name, { keys, language }]: readonly [string, SystemRecipe]) {
  const own = Object.entries(keys).map(([key, { says, value }]) => [key, optional(modelValue(value), says)] as const);
  return section({
    architecture: option(z.literal(name), 'kind of model'),
    from,
    ...(language !== undefined && { adapter }),
    ...Object.fromEntries(own),
  });
}

function modelValue(value: RecipeKey['value']): z.ZodType {
  if (value === 'folder') return file;
  if (value === 'size') return size;
  return 'from' in value ? z.int().min(value.from).max(value.to) : z.enum(value);
}

const sections = Object.entries(architectures).map(architectureSection);
const modelSection = z.discriminatedUnion('architecture', sections as [(typeof sections)[number]]);

/** The whole recipe. Every key is in the tables above and below, with what it means. */
export const recipeSchema = section({
  system: option(z.string().min(1), 'system or backbone of the catalog that this recipe trains'),
  model: option(modelSection, 'the network'),
  stages: option(z.array(stageSection).min(1).max(64), 'training stages, one after the other'),
  train: optional(trainSection, 'defaults of all stages'),
  lora: optional(lora, 'adapters of all stages that do not say lora: false'),
  output: optional(
    section({
      folder: optional(file, 'run folder; runs/<recipe> when absent'),
      dtype: optional(
        z.enum(['float32', 'float16', 'bfloat16']),
        'type that weights are saved in; float32 when absent',
      ),
    }),
    'what is written',
  ),
  feedback: optional(
    feedbackSection(dataSection),
    'pairs of answers that `tessera feedback` makes out of what a model answers',
  ),
  eval: optional(
    section({
      tasks: optional(wordsOf(taskNames()), 'evaluations after the last stage'),
      limit: optional(count, 'images of each task; all when absent'),
    }),
    'evaluation after training, of all that the model can do where no task is named; eval=null on the command line leaves it out',
  ),
});

export type Recipe = Omit<z.infer<typeof recipeSchema>, 'model'> & { readonly model: ModelRecipe };
/** What a model is made of; its further keys are those of its architecture. */
export interface ModelRecipe {
  readonly architecture: string;
  readonly from?: string | undefined;
  readonly adapter?: string | undefined;
  readonly size?: z.infer<typeof size> | undefined;
  readonly [key: string]: string | number | undefined;
}
export type StageRecipe = z.infer<typeof stageSection>;
export type DataRecipe = z.infer<typeof dataSection>;
export type TrainRecipe = z.infer<typeof trainSection>;
export type FeedbackRecipe = NonNullable<z.infer<typeof recipeSchema>['feedback']>;
export type LoraRecipe = z.infer<typeof loraSection>;
