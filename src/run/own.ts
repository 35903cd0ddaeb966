import { elementCount } from '../base/index.ts';
import type { LoadedModel } from '../models/index.ts';
import { allocateStore, initializeStore, type ParameterSpec, storeOf } from '../nn/index.ts';
import { exampleSizes, isKeptByObjective, isOwnOfObjective, type SourceOptions, traceProgram } from '../train/index.ts';

/** The model with the parameters that a stage's objective has of its own beside it, fresh; the model itself where it has none. */
export function withOwnOfObjective(loaded: LoadedModel, options: SourceOptions, seed: number): LoadedModel {
  const { objective, processor } = options;
  const [batch] = objective.own ? exampleSizes(options, 1).batches : [];
  if (!batch) return loaded;
  const { specs } = traceProgram({ model: loaded.model, reader: processor, objective }, batch.feeds);
  const own = allocateStore(new Map([...specs].filter(([path]) => isOwnOfObjective(path))));
  initializeStore(own, seed);
  return withSpecs(loaded, new Map([...loaded.store.specs, ...own.specs]), [...loaded.store.tensors, ...own.tensors]);
}

/** The model alone, as it is saved. */
export function withoutOwnOfObjective(loaded: LoadedModel): LoadedModel {
  const specs = new Map([...loaded.store.specs].filter(([path]) => !isOwnOfObjective(path)));
  return specs.size === loaded.store.specs.size ? loaded : withSpecs(loaded, specs, [...loaded.store.tensors]);
}

/** Numbers in all of a model's parameters. */
export function parameterCount({ store }: LoadedModel): number {
  return [...store.specs.values()].reduce((n, spec) => n + elementCount(spec.shape), 0);
}

/** Of the model alone how many parameters are trained and how many there are; what an objective has of its own is thrown away. */
export function modelCounts(loaded: LoadedModel, trained: number): { trained: number; parameters: number } {
  const own = [...loaded.store.specs.values()].filter(({ path }) => isOwnOfObjective(path) && !isKeptByObjective(path));
  const parameters = parameterCount(withoutOwnOfObjective(loaded));
  return { trained: own.reduce((n, { shape }) => n - elementCount(shape), trained), parameters };
}

function withSpecs(
  loaded: LoadedModel,
  specs: ReadonlyMap<string, ParameterSpec>,
  tensors: Iterable<
    readonly [string, LoadedModel['store']['tensors'] extends ReadonlyMap<string, infer T> ? T : never]
  >,
): LoadedModel {
  return { ...loaded, store: storeOf(specs, new Map(tensors)) };
}
