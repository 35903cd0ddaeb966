import { raise, TesseraError } from '../base/index.ts';
import { sealFolder, writeFolder } from '../files/index.ts';
import {
  attachAdapter,
  isInBlocks,
  type LoadedAdapter,
  type LoadedModel,
  type Model,
  mergeAdapter,
  parameterSpecs,
  saveAdapter,
} from '../models/index.ts';
import { allocateStore, initializeStore, isLoraPart, type Lora, mergeLora, storeOf } from '../nn/index.ts';
import type { LoraPlan, StagePlan } from '../recipe/index.ts';
import type { Parts } from './parts.ts';

/**
 * A plan's adapters for a model: linear layers in the blocks of its language part, by last name, or all of them.
 * @param seed of the stage's dropout masks
 */
export function loraOf(plan: LoraPlan, model: Model, seed: number): Lora {
  const linears = model.writer?.linears;
  const wanted = plan.targets;
  const named = (path: string) => wanted === 'all-linear' || wanted.includes(path.slice(path.lastIndexOf('.') + 1));
  return {
    r: plan.r,
    alpha: plan.alpha,
    ...dropoutOf(plan, seed),
    ...(plan.rslora && { stabilised: true }),
    ...(plan.dora && { directional: true }),
    targets: (path) => linears !== undefined && isInBlocks(linears, path) && named(path),
  };
}

/** A target that names no layer is a mistake, whatever the others name. */
function checkTargets(stage: string, { targets }: LoraPlan, model: Model): void {
  const linears = model.writer?.linears;
  if (targets === 'all-linear' || !linears) return;
  const names = new Set(
    [...parameterSpecs(model)]
      .filter(([path, { shape }]) => path.endsWith('.weight') && shape.length === 2 && isInBlocks(linears, path))
      .map(([path]) => path.split('.').at(-2) as string),
  );
  raise(
    targets
      .filter((target) => !names.has(target))
      .map((target) => ({
        code: 'recipe/lora',
        message: 'no linear layer of the language model has this name',
        path: `stages.${stage}.lora.targets`,
        expected: [...names].join(', '),
        got: target,
      })),
  );
}

function dropoutOf({ dropout: rate }: LoraPlan, seed: number): Pick<Lora, 'dropout'> {
  return rate > 0 ? { dropout: { rate, seed } } : {};
}

/** What a stage trains in. */
export interface StageAdapters {
  /** With adapters beside the weights where the stage has any. */
  readonly loaded: LoadedModel;
  readonly lora: Lora | undefined;
  /** True for what an adapter that the stage goes on from brings with it. */
  readonly held: (path: string) => boolean;
}

/**
 * The model of a stage with its adapters: fresh ones, or those that the recipe goes on from, in its first stage. A first
 * stage without adapters trains the model with those added in.
 * @throws TesseraError `recipe/adapter`
 */
export function adaptersOf(stage: StagePlan, index: number, { loaded, adapter }: Parts): StageAdapters {
  const { lora: plan, train } = stage;
  if (adapter && plan && index === 0) {
    checkRank(stage.name, plan, adapter);
    const lora = { ...adapter.lora, ...dropoutOf(plan, train.seed) };
    return { loaded: attachAdapter(loaded, adapter), lora, held: (path) => adapter.adapter.tensors.has(path) };
  }
  const base = adapter ? mergeAdapter(loaded, adapter) : loaded;
  if (plan) checkTargets(stage.name, plan, base.model);
  const lora = plan && loraOf(plan, base.model, train.seed + index);
  return { loaded: lora ? withFreshAdapters(base, lora, train.seed) : base, lora, held: () => false };
}

/** What an adapter is goes without saying; what the recipe says of it has to be so. */
function checkRank(stage: string, { r, alpha, rslora, dora }: LoraPlan, { lora }: LoadedAdapter): void {
  const kind = [
    rslora && !lora.stabilised && 'lora.use_rslora=false',
    dora && !lora.directional && 'lora.use_dora=false',
  ];
  const others = kind.filter((setting) => setting !== false);
  if (r === lora.r && alpha === lora.alpha && others.length === 0) return;
  throw new TesseraError({
    code: 'recipe/adapter',
    message: `stage ${stage} goes on from an adapter of another rank, scale or kind`,
    path: 'model.adapter',
    expected: [`lora.r=${lora.r} lora.alpha=${lora.alpha}`, ...others].join(' '),
    got: [`lora.r=${r} lora.alpha=${alpha}`, ...others.map((setting) => setting.replace('false', 'true'))].join(' '),
    remedy: 'give what is expected on the command line; or merge the adapter with `tessera export` and start from that',
  });
}

/** The model with fresh adapters beside its weights, which are the very tensors of the base. */
export function withFreshAdapters(base: LoadedModel, lora: Lora, seed: number): LoadedModel {
  const specs = parameterSpecs(base.model, lora);
  const factors = allocateStore(new Map([...specs].filter(([path]) => isLoraPart(path))));
  initializeStore(factors, seed);
  startLengths(factors.tensors, base.store.tensors);
  return { ...base, store: storeOf(specs, new Map([...base.store.tensors, ...factors.tensors])) };
}

type Tensors = LoadedModel['store']['tensors'];

/** DoRA begins with the lengths that the rows of the weights have, so that a fresh adapter changes nothing. */
function startLengths(factors: Tensors, weights: Tensors): void {
  for (const [path, { data: lengths }] of factors) {
    const weight = weights.get(path.replace(/lora_magnitude_vector$/, 'weight'));
    if (!path.endsWith('.lora_magnitude_vector') || !weight) continue;
    const width = weight.data.length / lengths.length;
    for (const row of lengths.keys()) {
      const values = weight.data.subarray(row * width, (row + 1) * width);
      lengths[row] = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
    }
  }
}

/** The model that adapters stand beside, what was trained whole beside them included. */
export function withoutAdapters(adapted: LoadedModel): LoadedModel {
  return { ...adapted, store: storeOf(parameterSpecs(adapted.model), adapted.store.tensors) };
}

/** The model without adapters that computes the same; what is not adapted is shared. */
export function merge(adapted: LoadedModel, lora: Lora): LoadedModel {
  return { ...adapted, store: storeOf(parameterSpecs(adapted.model), mergeLora(adapted.store.tensors, lora)) };
}

/**
 * Writes adapters, and what was trained whole beside them, in PEFT layout.
 * @param whole true for parameters of the base that differ from those of its folder
 * @param baseName what the files call the base: a hub name, or a path from the adapter's folder
 */
export function writeAdapterFolder(
  folder: string,
  base: LoadedModel,
  { store }: LoadedModel,
  lora: Lora,
  whole: (path: string) => boolean,
  baseName: string,
): void {
  const tensors = new Map([...store.tensors].filter(([path]) => isLoraPart(path) || whole(path)));
  const fill = (partial: string) => {
    saveAdapter(partial, base, { lora, tensors, baseName });
    sealFolder(partial);
  };
  writeFolder(folder, fill, { overwrite: true });
}
