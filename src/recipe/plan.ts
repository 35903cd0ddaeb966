import { type Named, raise } from '../base/index.ts';
import { usualTasks } from '../eval/index.ts';
import { architectures, type SystemRecipe } from '../models/index.ts';
import { methods } from '../train/index.ts';
import { checkRecipe, evaluable } from './checks.ts';
import { loraDefaults, outputDefaults, stageDefaults, trainDefaults, withDataDefaults } from './defaults.ts';
import type { Where } from './faults.ts';
import { type FeedbackPlan, feedbackPlan, resolveFeedback } from './feedback.ts';
import type { DataRecipe, LoraRecipe, ModelRecipe, Recipe, StageRecipe, TrainRecipe } from './schema.ts';
import { recipeSchema } from './schema.ts';

/** Settings of one stage's optimizer, none left open but how many threads the engine takes. */
export interface TrainPlan {
  readonly seed: number;
  readonly length: { readonly steps: number } | { readonly epochs: number };
  readonly batch: number;
  readonly accumulate: number;
  readonly lr: number;
  /** Peak learning rates of parameters that match a pattern; later patterns win. */
  readonly lrFor: readonly { readonly pattern: string; readonly lr: number }[];
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly schedule: 'cosine' | 'linear' | 'constant';
  readonly warmupRatio: number;
  /** Largest global norm of the gradient; 0 never clips. */
  readonly clip: number;
  /** Steps between checkpoints, evaluations and log lines; 0 means at the end of the stage alone. */
  readonly saveEvery: number;
  readonly evalEvery: number;
  readonly logEvery: number;
  readonly maxLength: number;
  /** Layers' insides are computed again in the reverse sweep. */
  readonly recompute: boolean;
  readonly threads?: number;
}

export interface LoraPlan {
  readonly r: number;
  readonly alpha: number;
  readonly dropout: number;
  /** rsLoRA: `alpha / sqrt(r)` in the place of `alpha / r`. */
  readonly rslora: boolean;
  /** DoRA: lengths of rows are trained beside their directions. */
  readonly dora: boolean;
  /** Last names of linear layers, or every linear layer of the language model. */
  readonly targets: readonly string[] | 'all-linear';
}

export interface StagePlan {
  readonly name: string;
  readonly objective: StageRecipe['objective'];
  /** The objective's options, all of them. */
  readonly loss: Named<number | boolean>;
  /** How the objective gets what it compares with; by what is trained when absent. */
  readonly reference?: 'copy' | 'adapter' | 'cache';
  /** Patterns of the base parameters that are trained; adapters come beside them. */
  readonly trainable: readonly string[];
  readonly template: NonNullable<StageRecipe['template']>;
  /** What becomes of answers that the template does not end; such a stage is refused when absent. */
  readonly addEnd?: boolean | undefined;
  /** How images become squares; the model folder says when absent. */
  readonly pictures?: 'crop' | 'pad';
  readonly data: readonly DataRecipe[];
  readonly train: TrainPlan;
  readonly lora?: LoraPlan;
}

/** What a recipe asks for, with every default filled in. */
export interface Plan {
  /** The recipe's file name without its ending. */
  readonly name: string;
  readonly system: string;
  readonly model: ModelRecipe;
  readonly stages: readonly StagePlan[];
  readonly output: { readonly folder: string; readonly dtype: 'float32' | 'float16' | 'bfloat16' };
  readonly eval: { readonly tasks: readonly string[]; readonly limit?: number };
  /** What pairs of answers are made of. */
  readonly feedback?: FeedbackPlan;
  /** The same as a recipe, to be kept with the run. */
  readonly resolved: Recipe;
}

/** Patterns of a language model's parameters, for stages that put adapters in their place. */
function languagePatterns({ architecture }: ModelRecipe): readonly string[] {
  const { language } = architectures[architecture] as SystemRecipe;
  return language === undefined ? [] : [language === '' ? '**' : `${language}.**`];
}

/**
 * Fills in every default and checks what one key alone cannot show.
 * @throws TesseraError with every fault at once.
 */
export function planOf(recipe: Recipe, name: string, where: Where = (path) => path.map(String).join('.')): Plan {
  const resolved = resolve(recipe, name);
  raise(checkRecipe(resolved, where));
  return {
    name,
    system: resolved.system,
    model: resolved.model,
    stages: resolved.stages.map((stage) => stagePlan(stage, resolved.model)),
    output: resolved.output as Plan['output'],
    eval: (resolved.eval ?? { tasks: [] }) as Plan['eval'],
    ...(resolved.feedback && { feedback: feedbackPlan(resolved.feedback) }),
    resolved,
  };
}

function resolve(recipe: Recipe, name: string): Recipe {
  const { train, lora, ...rest } = recipe;
  const stages = recipe.stages.map((stage) => {
    const adapters = mergedLora(lora, stage.lora);
    const { lora: _, ...bare } = stage;
    return {
      ...bare,
      ...withLossDefaults(stage),
      template: stage.template ?? stageDefaults.template,
      data: stage.data.map((data) => withDataDefaults(data)),
      train: mergedTrain(train ?? {}, stage.train ?? {}),
      ...(adapters ? { lora: adapters } : stage.lora === false && { lora: false as const }),
    };
  });
  const output = {
    folder: recipe.output?.folder ?? `runs/${name}`,
    dtype: recipe.output?.dtype ?? outputDefaults.dtype,
  } as const;
  const evaluation = recipe.eval && {
    eval: { ...recipe.eval, tasks: recipe.eval.tasks ?? usualTasks(evaluable(recipe.model)) },
  };
  const feedback = recipe.feedback && { feedback: resolveFeedback(recipe.feedback, recipe.model, name) };
  // Read once more for the order of the schema's keys, so that one plan has one text.
  return recipeSchema.parse({ ...rest, stages, output, ...feedback, ...evaluation }) as Recipe;
}

/** Training settings of a resolved stage: those with a default are there. */
type FilledTrain = { [K in keyof typeof trainDefaults]: NonNullable<TrainRecipe[K]> } & TrainRecipe;

/** A stage that gives steps or epochs sets aside both of the recipe's. */
function mergedTrain(recipe: TrainRecipe, stage: TrainRecipe): TrainRecipe {
  const { steps, epochs, ...common } = recipe;
  const length = stage.steps === undefined && stage.epochs === undefined ? { steps, epochs } : {};
  return compact({ ...trainDefaults, ...common, ...length, ...stage }) as TrainRecipe;
}

function mergedLora(recipe: Recipe['lora'], stage: Recipe['lora']): LoraRecipe | undefined {
  if (stage === false || (!stage && !recipe)) return undefined;
  return { ...loraDefaults, ...(recipe || {}), ...stage };
}

/** Nothing for an objective without options. */
function withLossDefaults({ objective, loss }: StageRecipe): Pick<StageRecipe, 'loss'> {
  const options = Object.entries(methods[objective]?.options ?? {});
  if (options.length === 0 && loss === undefined) return {};
  return { loss: { ...Object.fromEntries(options.map(([key, { value }]) => [key, value])), ...loss } };
}

function compact(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function stagePlan(stage: StageRecipe, model: ModelRecipe): StagePlan {
  const lora = stage.lora || undefined;
  return {
    name: stage.name,
    objective: stage.objective,
    loss: compact(stage.loss ?? {}) as Named<number | boolean>,
    trainable: lora ? besideAdapters(stage.trainable, lora, model) : stage.trainable,
    template: stage.template ?? stageDefaults.template,
    addEnd: stage.add_end,
    ...(stage.pictures && { pictures: stage.pictures }),
    ...(stage.reference && { reference: stage.reference }),
    data: stage.data,
    train: trainPlan(stage.train ?? {}),
    ...(lora && { lora: loraPlan(lora) }),
  };
}

/** With adapters the language model stays as it is; what else the stage trains stays trained, and `plus` is opened again. */
function besideAdapters(trainable: readonly string[], lora: LoraRecipe, model: ModelRecipe): string[] {
  const closed = languagePatterns(model).map((pattern) => `!${pattern}`);
  return [...trainable, ...closed, ...(lora.plus ?? [])];
}

function loraPlan(lora: LoraRecipe): LoraPlan {
  const r = lora.r as number;
  const targets = lora.targets ?? [];
  return {
    r,
    alpha: lora.alpha ?? 2 * r,
    dropout: lora.dropout ?? 0,
    rslora: lora.use_rslora ?? false,
    dora: lora.use_dora ?? false,
    targets: targets.length === 1 && targets[0] === 'all-linear' ? 'all-linear' : targets,
  };
}

function trainPlan(train: TrainRecipe): TrainPlan {
  const all = train as FilledTrain;
  return {
    seed: all.seed,
    length: all.steps === undefined ? { epochs: all.epochs as number } : { steps: all.steps },
    batch: all.batch,
    accumulate: all.accumulate,
    lr: all.lr as number,
    lrFor: Object.entries(all.lr_for ?? {}).map(([pattern, lr]) => ({ pattern, lr })),
    betas: all.betas,
    eps: all.eps,
    weightDecay: all.weight_decay,
    schedule: all.schedule,
    warmupRatio: all.warmup_ratio,
    clip: all.clip,
    saveEvery: all.save_every,
    evalEvery: all.eval_every,
    logEvery: all.log_every,
    maxLength: all.max_length,
    recompute: all.recompute,
    ...(all.threads !== undefined && { threads: all.threads }),
  };
}
