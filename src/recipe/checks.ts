import type { Fault } from '../base/index.ts';
import { nearest } from '../base/index.ts';
import { builtinTemplateNames, formatOptions } from '../data/index.ts';
import { type Asks, tasksOpenTo } from '../eval/index.ts';
import { architectures, type SystemRecipe } from '../models/index.ts';
import { methods, objectiveNamed } from '../train/index.ts';
import { trainingFile, trainingTasks, worldTaskOptions, worldTaskTable } from '../world/index.ts';
import { catalog } from './catalog.ts';
import type { KeyPath, Where } from './faults.ts';
import { feedbackFaults } from './feedback.ts';
import type { DataRecipe, ModelRecipe, Recipe, StageRecipe } from './schema.ts';
import { recipeSchema } from './schema.ts';

/** Faults that one key alone cannot show, in a recipe whose stages have their defaults filled in. */
export function checkRecipe(recipe: Recipe, where: Where): Fault[] {
  return [
    ...systemFaults(recipe, where),
    ...modelFaults(recipe.model, where),
    ...stagesFaults(recipe, where),
    ...feedbackFaults(recipe, where),
    ...dataFaults(recipe.feedback?.data ?? [], ['feedback'], where),
    ...evalFaults(recipe, where),
  ];
}

/** As far as the model section of faulty data can be read, its faults, so that they are told together with the others. */
export function checkModel(data: unknown, where: Where): Fault[] {
  const model = recipeSchema.shape.model.safeParse((data as { model?: unknown } | null)?.model);
  return model.success ? modelFaults(model.data as ModelRecipe, where) : [];
}

function systemFaults(recipe: Recipe, where: Where): Fault[] {
  const names = catalog.map(({ name }) => name);
  if (names.includes(recipe.system)) return [];
  const near = nearest(recipe.system, names);
  return [
    {
      code: 'recipe/system',
      message: 'the catalog has no such system',
      path: where(['system']),
      expected: 'a name that `tessera recipes --json` lists',
      got: recipe.system,
      ...(near && { remedy: `did you mean ${near}?` }),
    },
  ];
}

function modelFaults(model: ModelRecipe, where: Where): Fault[] {
  const { architecture, from, adapter, ...parts } = { adapter: undefined, ...model };
  if (from === undefined && adapter !== undefined) {
    return [
      {
        code: 'recipe/conflict',
        message: 'an adapter stands beside a whole model',
        path: where(['model', 'adapter']),
        expected: 'model.from, the folder of its base',
        remedy: 'give model.from, or take adapter out',
      },
    ];
  }
  if (from !== undefined) {
    return Object.keys(parts).map((key) => ({
      code: 'recipe/conflict',
      message: `model.from already says what ${key} is`,
      path: where(['model', key]),
      remedy: `take out ${key}, or model.from`,
    }));
  }
  const { needs, oneOf = {}, refuses = {} } = architectures[architecture] as SystemRecipe;
  const given = (key: string) => Object.hasOwn(parts, key);
  const lacking = needs.filter((key) => !given(key));
  const faults: Fault[] = [];
  if (lacking.length > 0) {
    faults.push({
      code: 'recipe/missing',
      message: `the model lacks ${lacking.join(', ')}`,
      path: where(['model']),
      expected: `model.from, or ${needs.map((key) => `model.${key}`).join(', ')}`,
      remedy: 'model.from=<Hugging Face folder> on the command line says all of it',
    });
  }
  for (const [key, { message, remedy }] of Object.entries(refuses).filter(([key]) => given(key))) {
    faults.push({ code: 'recipe/conflict', message, path: where(['model', key]), got: `${model[key]}`, remedy });
  }
  for (const [what, { keys, expected }] of Object.entries(oneOf)) {
    const said = keys.filter(given);
    if (said.length === 1) continue;
    const message = `the model needs one ${what}`;
    faults.push({
      code: `recipe/${what}`,
      message,
      path: where(['model']),
      expected,
      got: said.join(' and ') || 'neither',
    });
  }
  return faults;
}

/** Architectures whose models some evaluation can be asked of. */
const evaluated = Object.keys(architectures).filter((architecture) => evaluable({ architecture }).size > 0);

/** What evaluations can ask of the models of an architecture. */
export function evaluable({ architecture }: Pick<ModelRecipe, 'architecture'>): Set<Asks> {
  const { does, seesImages, interleaved = false } = architectures[architecture] as SystemRecipe;
  const can: Record<Asks, boolean> = {
    answers: seesImages,
    searches: does.includes('embedder') || does.includes('matcher'),
    shots: interleaved,
    drawings: does.includes('painter') && does.includes('quantizer'),
  };
  return new Set((Object.keys(can) as Asks[]).filter((asks) => can[asks]));
}

/** Evaluations that could not be made once training is over. */
function evalFaults({ eval: evaluation, model }: Recipe, where: Where): Fault[] {
  if (!evaluation) return [];
  const faults: Fault[] = [];
  const can = tasksOpenTo(evaluable(model));
  const beyond = (evaluation.tasks ?? []).filter((task) => !can.includes(task));
  if (can.length === 0 || beyond.length > 0) {
    faults.push({
      code: 'recipe/eval',
      message: `a ${model.architecture} model cannot be put to ${beyond.join(', ') || 'any evaluation'}`,
      path: where(['eval', 'tasks']),
      expected: can.join(', ') || `a ${evaluated.join(' or ')} model, or no eval section`,
      got: evaluation.tasks?.join(', ') ?? '',
      ...(can.length === 0 && { remedy: 'take eval out; eval=null on the command line does' }),
    });
  }
  if (evaluation.limit === 1) {
    faults.push({
      code: 'recipe/eval',
      message: 'the blind run shows each question the image of another, so it needs two images at least',
      path: where(['eval', 'limit']),
      expected: 'at least 2',
      got: '1',
    });
  }
  return faults;
}

function stagesFaults(recipe: Recipe, where: Where): Fault[] {
  const names = recipe.stages.map(({ name }) => name);
  return recipe.stages.flatMap((stage, at) => {
    const repeated = names.indexOf(stage.name) !== at;
    const twice: Fault[] = repeated
      ? [
          {
            code: 'recipe/stage',
            message: 'two stages have one name',
            path: where(['stages', at, 'name']),
            got: stage.name,
          },
        ]
      : [];
    return [
      ...twice,
      ...lengthFaults(stage, at, where),
      ...fitFaults(stage, at, recipe.model, where),
      ...lossFaults(stage, at, where),
      ...referenceFaults(stage, at, where),
      ...dataFaults(stage.data, ['stages', at], where),
    ];
  });
}

function lengthFaults(stage: StageRecipe, at: number, where: Where): Fault[] {
  const faults: Fault[] = [];
  const { steps, epochs, lr } = stage.train ?? {};
  if (lr === undefined) {
    faults.push(missing(`the learning rate of stage ${stage.name}`, where(['stages', at, 'train', 'lr']), 'train.lr'));
  }
  if ((steps === undefined) === (epochs === undefined)) {
    faults.push({
      code: 'recipe/length',
      message: `how long stage ${stage.name} trains must be said once`,
      path: where(['stages', at, 'train', 'steps']),
      expected: 'either train.steps or train.epochs',
      got: steps === undefined ? 'neither' : 'both',
    });
  }
  return faults;
}

function fitFaults(stage: StageRecipe, at: number, model: ModelRecipe, where: Where): Fault[] {
  const faults: Fault[] = [];
  const { does, seesImages, language } = architectures[model.architecture] as SystemRecipe;
  const fits = Object.keys(methods).filter((name) => does.includes(objectiveNamed(name).needs));
  if (!fits.includes(stage.objective)) {
    faults.push({
      code: 'recipe/objective',
      message: `a ${model.architecture} model has no ${stage.objective} objective`,
      path: where(['stages', at, 'objective']),
      expected: fits.join(', '),
      got: stage.objective,
    });
  }
  if (seesImages && objectiveNamed(stage.objective).needs === 'writer' && stage.template === 'text') {
    faults.push({
      code: 'recipe/template',
      message: `stage ${stage.name} says no prompt for its rows`,
      path: where(['stages', at, 'template']),
      expected: `${builtinTemplateNames.filter((name) => name !== 'text').join(', ')} or checkpoint`,
      remedy: 'add template to the stage',
    });
  }
  if (stage.lora && stage.lora.r === undefined) {
    faults.push(
      missing(`the rank of the adapters of stage ${stage.name}`, where(['stages', at, 'lora', 'r']), 'lora.r'),
    );
  }
  if (stage.lora && language === undefined) {
    faults.push({
      code: 'recipe/lora',
      message: `adapters go into a language model, and a ${model.architecture} model has none`,
      path: where(['stages', at, 'lora']),
      remedy: 'take lora out',
    });
  }
  return faults;
}

/** A reference that the stage's objective has no use for, or that the stage cannot give. */
function referenceFaults({ objective, reference, lora, data }: StageRecipe, at: number, where: Where): Fault[] {
  if (reference === undefined || !methods[objective]) return [];
  const before = objectiveNamed(objective).before?.filter(({ weights }) => weights === 'reference') ?? [];
  const fault = (message: string, expected: string) => [
    { code: 'recipe/reference', message, path: where(['stages', at, 'reference']), expected, got: reference },
  ];
  if (before.length === 0) return fault(`the objective ${objective} compares with nothing`, 'no reference');
  if (reference === 'adapter' && !lora) return fault('the stage has no adapters to switch off', 'copy or cache');
  if (reference !== 'cache') return [];
  if (!before.every(({ kept }) => kept)) {
    return fault(`the objective ${objective} compares with more than can be kept of a row`, 'copy or adapter');
  }
  if (data.every(({ source }) => source === 'files')) return [];
  return fault('held-out scenes of the tabletop are not among the rows that are kept', 'copy or adapter');
}

/** Options that the stage's objective does not have. */
function lossFaults({ objective, loss = {} }: StageRecipe, at: number, where: Where): Fault[] {
  const known = Object.keys(methods[objective]?.options ?? {});
  return Object.keys(loss)
    .filter((key) => !known.includes(key))
    .map((key) => ({
      code: 'recipe/unused',
      message: `${key} means nothing for the objective ${objective}`,
      path: where(['stages', at, 'loss', key]),
      expected: known.join(', ') || 'no options',
      got: key,
      remedy: `take ${key} out`,
    }));
}

/** Keys of a data source that its kind of rows has no use for. */
function dataFaults(sources: readonly DataRecipe[], below: KeyPath, where: Where): Fault[] {
  return sources.flatMap((data, place) => {
    const kind = data.source === 'tabletop' ? data.task : (data.format ?? 'auto');
    return Object.entries(data.source === 'tabletop' ? tasksFor : formatsFor)
      .filter(([key, kinds]) => Object.hasOwn(data, key) && !kinds.includes(kind))
      .map(([key, kinds]) => ({
        code: 'recipe/unused',
        message: `${key} means nothing for rows of ${kind}`,
        path: where([...below, 'data', place, key]),
        expected: `rows of ${kinds.join(' or ')}`,
        got: kind,
        remedy: `take ${key} out`,
      }));
  });
}

type Kinds = Readonly<Record<string, readonly string[]>>;

/** The formats that an option means something for; a format that is recognised later may be one of them. */
const formatsFor: Kinds = Object.fromEntries(
  Object.entries(formatOptions).map(([key, { formats }]) => [key, [...formats, 'auto']]),
);

/** The tasks of the world that an option means something for: it changes what is written, or how that is read. */
const tasksFor: Kinds = {
  ...Object.fromEntries(
    Object.entries(formatOptions).map(([key, { formats }]) => [
      key,
      trainingTasks.filter((task) => (formats as readonly string[]).includes(trainingFile(task).format)),
    ]),
  ),
  ...Object.fromEntries(
    worldTaskOptions.map((key) => [key, trainingTasks.filter((task) => worldTaskTable[task].uses.includes(key))]),
  ),
};

function missing(what: string, path: string, key: string): Fault {
  return {
    code: 'recipe/missing',
    message: `${what} is missing`,
    path,
    remedy: `give ${key} in the recipe or on the command line`,
  };
}
