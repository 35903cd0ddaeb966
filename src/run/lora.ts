import type { Tensor } from '../base/index.ts';
import { writeFolder } from '../files/index.ts';
import {
  type Layout,
  type LoadedModel,
  type Model,
  modelLayouts,
  parameterSpecs,
  writeAdapter,
} from '../models/index.ts';
import { allocateStore, initializeStore, type Lora, mergeLora, storeOf } from '../nn/index.ts';
import type { LoraPlan, StagePlan } from '../recipe/index.ts';

/** Where the blocks of a model's language part are; adapters go there and nowhere else. */
const languageBlocks: Readonly<Record<string, RegExp>> = {
  llava: /^language_model\.model\.layers\./,
  llama: /^model\.layers\./,
};

/**
 * A plan's adapters for a model: the language model's linear layers by last name, or all of them.
 * @param seed of the stage's dropout masks
 */
export function loraOf(plan: LoraPlan, model: Model, seed: number): Lora {
  const blocks = languageBlocks[model.architecture];
  const wanted = plan.targets;
  const named = (path: string) => wanted === 'all-linear' || wanted.includes(path.slice(path.lastIndexOf('.') + 1));
  return {
    r: plan.r,
    alpha: plan.alpha,
    ...(plan.dropout > 0 && { dropout: { rate: plan.dropout, seed } }),
    targets: (path) => blocks?.test(path) === true && named(path),
  };
}

const factor = /\.lora_[AB]\.weight$/;

/** True for the adapters' own parameters. */
export function isFactor(path: string): boolean {
  return factor.test(path);
}

/** The model with fresh adapters beside its weights, which are the very tensors of the base. */
export function withFreshAdapters(base: LoadedModel, lora: Lora, seed: number): LoadedModel {
  const specs = parameterSpecs(base.model, lora);
  const factors = allocateStore(new Map([...specs].filter(([path]) => isFactor(path))));
  initializeStore(factors, seed);
  return { ...base, store: storeOf(specs, new Map([...base.store.tensors, ...factors.tensors])) };
}

/** The model that adapters stand beside, what was trained whole beside them included. */
export function withoutAdapters(adapted: LoadedModel): LoadedModel {
  return { ...adapted, store: storeOf(parameterSpecs(adapted.model), adapted.store.tensors) };
}

/** The model without adapters that computes the same; what is not adapted is shared. */
export function merge(adapted: LoadedModel, lora: Lora): LoadedModel {
  return { ...adapted, store: storeOf(parameterSpecs(adapted.model), mergeLora(adapted.store.tensors, lora)) };
}

/** Writes adapters, and what was trained whole beside them, in PEFT layout. */
export function writeAdapterFolder(
  folder: string,
  base: LoadedModel,
  adapted: LoadedModel,
  stage: StagePlan,
  trainable: (path: string) => boolean,
  baseFolder: string,
): void {
  const plan = stage.lora as LoraPlan;
  const tensors = new Map<string, Tensor<'float32'>>();
  for (const [path, tensor] of adapted.store.tensors) {
    if (isFactor(path) || trainable(path)) tensors.set(path, tensor);
  }
  const whole = [...tensors.keys()].filter((path) => !isFactor(path)).map(moduleOf);
  const config = {
    r: plan.r,
    alpha: plan.alpha,
    dropout: plan.dropout,
    targets: [],
    modulesToSave: [...new Set(whole)],
    taskType: 'CAUSAL_LM',
    base: baseFolder,
  };
  writeFolder(folder, (partial) => writeAdapter(partial, { config, tensors }, base.store.specs, adapterLayout(base)), {
    overwrite: true,
  });
}

/** PEFT names modules as they are in memory. */
function adapterLayout({ model, layout }: LoadedModel): Layout {
  return modelLayouts(model).find(({ name }) => name === `${model.architecture}-runtime`) ?? layout;
}

/** The first segment below the root: PEFT saves a module with all that it holds. */
function moduleOf(path: string): string {
  const segments = path.split('.');
  return segments[0] === 'language_model' ? (segments.at(-2) as string) : (segments[0] as string);
}
