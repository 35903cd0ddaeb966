import { TesseraError } from '../base/index.ts';
import { join, lookUp, namesIn, pathExists, resolve } from '../files/index.ts';
import { refuseGguf } from './foreign.ts';
import { hubRemedy, readJsonObject, readOptionalJsonObject } from './weights/index.ts';

/** Where a run folder keeps the model that it has trained. */
export const trainedModel = 'model';

/** Where a run folder keeps the adapter that it has trained. */
export const trainedAdapter = 'adapter';

const adapterConfig = 'adapter_config.json';

/** The folders that a model is read from. */
export interface ModelPlace {
  /** A Hugging Face folder with `config.json`. */
  readonly folder: string;
  /** A folder in PEFT layout whose adapter is added to it; it may be the same. */
  readonly adapter?: string | undefined;
}

/**
 * The folders to load for the one given: a Hugging Face folder, a run folder, or that of an adapter, which names its base.
 * An adapter that stands beside the weights of its base belongs to them, as transformers reads it.
 * @param other a folder of another adapter to add, or the run folder that trained it
 * @throws TesseraError `run/no-model`, `model/adapter-alone`, `model/two-adapters`
 */
export function modelPlace(where: string, other?: string): ModelPlace {
  refuseGguf(where);
  const adapter = other === undefined ? undefined : adapterFolder(other);
  const folder = folderWithConfig(where);
  for (const place of [where, folder, adapter]) if (place !== undefined) refuseRest(place);
  const own = folder ?? where;
  const beside = pathExists(join(own, adapterConfig)) ? own : undefined;
  if (adapter !== undefined && beside !== undefined) throw twoAdapters(beside, adapter);
  if (folder !== undefined && !(beside !== undefined && lacksWeights(folder))) {
    return { folder, adapter: adapter ?? beside };
  }
  if (beside !== undefined) return { folder: baseOf(beside), adapter: beside };
  const remedy = pathExists(join(where, 'recipe.yaml'))
    ? `finish it with \`tessera resume ${where}\``
    : hubRemedy(where);
  throw new TesseraError({
    code: 'run/no-model',
    message: 'the folder holds no model',
    path: where,
    expected: 'a run folder whose training is over, or a Hugging Face folder with config.json',
    ...(!pathExists(where) && { got: 'no such folder' }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** The folder of a place that holds one of these files: what comes with an adapter counts before what its base has. */
export function sideFolder({ folder, adapter }: ModelPlace, ...names: readonly string[]): string {
  return adapter !== undefined && names.some((name) => pathExists(join(adapter, name))) ? adapter : folder;
}

function folderWithConfig(where: string): string | undefined {
  return [join(where, trainedModel), where].find((folder) => pathExists(join(folder, 'config.json')));
}

/** The folder of an adapter's base: a path from the adapter's folder, or from the working directory. */
function baseOf(adapter: string): string {
  const path = join(adapter, adapterConfig);
  const { base_model_name_or_path: base } = readJsonObject(path);
  const name = typeof base === 'string' ? base : undefined;
  const places = name === undefined ? [] : [resolve(adapter, name), name];
  const found = places.map(folderWithConfig).find((folder) => folder !== undefined);
  if (found !== undefined) return found;
  throw new TesseraError({
    code: 'model/adapter-alone',
    message: 'the folder holds an adapter, and the model that it adapts is not here',
    path: adapter,
    expected: name === undefined ? 'base_model_name_or_path in adapter_config.json' : `the model ${name}`,
    remedy: `give the folder of that model, and \`--adapter ${adapter}\`, or model.from and model.adapter in a recipe`,
  });
}

/**
 * The folder of a part of a model that stands in a folder of its own: a path from the model's folder, or from the working
 * directory.
 * @throws TesseraError `model/part-missing`, `model/part-beside`
 */
export function partFolder(folder: string, part: string, name: unknown): string {
  const places = typeof name === 'string' ? [resolve(folder, name), name] : [];
  const found = places.map(folderWithConfig).find((place) => place !== undefined);
  if (found !== undefined && namesBases(found)) throw partOfParts(folder, part, found);
  if (found !== undefined) return found;
  throw new TesseraError({
    code: 'model/part-missing',
    message: `the folder holds what was trained beside a ${part} model, and that model is not here`,
    path: `${join(folder, 'config.json')}: base_models.${part}`,
    expected: typeof name === 'string' ? `a model at ${places[0]}` : 'the path of a folder',
    remedy: `put it there, or write its path as base_models.${part}`,
  });
}

/** Whether a folder holds what was trained beside models of other folders, which it names. */
export function namesBases(folder: string): boolean {
  return readOptionalJsonObject(join(folder, 'config.json'))?.base_models !== undefined;
}

function partOfParts(folder: string, part: string, found: string): TesseraError {
  return new TesseraError({
    code: 'model/part-beside',
    message: `the ${part} model does not hold all of its weights either`,
    path: `${join(folder, 'config.json')}: base_models.${part}`,
    expected: 'a folder with whole weights',
    got: found,
    remedy: `write one with \`tessera export ${found} --to hf --merge --out <folder>\``,
  });
}

/** An adapter that was trained may stand beside its base's configuration alone. */
function lacksWeights(folder: string): boolean {
  const weights = [
    'model.safetensors',
    'model.safetensors.index.json',
    'pytorch_model.bin',
    'pytorch_model.bin.index.json',
  ];
  return !weights.some((name) => pathExists(join(folder, name)));
}

/** LLaVA's own code saves an adapter's projector apart, in a file that is not read: without it the adapter is half of one. */
function refuseRest(folder: string): void {
  const rest = 'non_lora_trainables.bin';
  if (!pathExists(join(folder, adapterConfig)) || !pathExists(join(folder, rest))) return;
  throw new TesseraError({
    code: 'model/adapter-rest',
    message: 'beside the adapter stand other trained weights in a pickle file, which tessera does not read',
    path: join(folder, rest),
    expected: 'an adapter in PEFT layout, which holds all that was trained',
    remedy: 'merge it with its base by the scripts of LLaVA, and load the merged folder',
  });
}

function twoAdapters(beside: string, adapter: string): TesseraError {
  return new TesseraError({
    code: 'model/two-adapters',
    message: 'the model has an adapter already',
    path: adapter,
    expected: 'one adapter',
    got: join(beside, adapterConfig),
    remedy: `merge the first with \`tessera export ${beside} --to hf --merge --out <folder>\`, and add the other to that`,
  });
}

function adapterFolder(where: string): string {
  const found = [where, join(where, trainedAdapter)].find((folder) => pathExists(join(folder, adapterConfig)));
  if (found === undefined) throw noAdapter(where);
  return found;
}

function noAdapter(adapter: string): TesseraError {
  const remedy = remedyWithin(adapter);
  return new TesseraError({
    code: 'model/no-adapter',
    message: 'the folder holds no adapter',
    path: adapter,
    expected: `a folder in PEFT layout, with ${adapterConfig} and adapter_model.safetensors`,
    ...(!pathExists(adapter) && { got: 'no such folder' }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** The way to an adapter further in: other tools keep one in each checkpoint, and an unfinished run within its own. */
function remedyWithin(folder: string): string | undefined {
  if (lookUp(folder)?.kind !== 'folder') return undefined;
  const inside = namesIn(folder).filter((name) => pathExists(join(folder, name, adapterConfig)));
  const latest = inside.sort((a, b) => Number(/\d*$/.exec(a)) - Number(/\d*$/.exec(b))).at(-1);
  if (latest !== undefined) return `name one of the folders in it, such as ${join(folder, latest)}`;
  return pathExists(join(folder, 'recipe.yaml'))
    ? `finish the run with \`tessera resume ${folder}\`, which writes its adapter`
    : undefined;
}
