import { formatShape, type Named, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import { isJsonObject, join, resolve } from '../files/index.ts';
import { allocateStore, type ParameterSpec, type ParameterStore } from '../nn/index.ts';
import { modelFromConfig, parameterSpecs } from './catalog.ts';
import type { ConfigJson } from './config.ts';
import { partFolder } from './folder.ts';
import { originalTower, refusePacked, refuseProjectorAlone, refuseQuantized, refuseRounded } from './foreign.ts';
import { fromOriginalLlava, isOriginalLlava } from './fusion/llava-original.ts';
import { fromOpenFlamingo, frozenFolders, isOpenFlamingo } from './fusion/openflamingo.ts';
import type { LoadedModel } from './loaded.ts';
import { type Model, partPrefix } from './model.ts';
import { projectorOfFile, withoutSecondLayer, withSecondLayer } from './one-layer-projector.ts';
import { visionPart } from './sizes.ts';
import { withTokenRows } from './vocabulary.ts';
import {
  type Checkpoint,
  clipVisionLayouts,
  type JsonObject,
  type JsonValue,
  type Layout,
  llavaLayouts,
  loadWeights,
  matchNames,
  mountLayouts,
  type NameMatch,
  openCheckpoint,
  readJsonObject,
  renameForFile,
  type SaveDType,
  writeCheckpoint,
  writeJsonObject,
} from './weights/index.ts';
import { fromFileName } from './weights/layouts.ts';

/** A new model from a configuration; its parameters are zero until they are initialised or filled. */
export function createModel(json: ConfigJson): LoadedModel {
  const model = modelFromConfig(json);
  return { model, store: allocateStore(parameterSpecs(model)), layout: model.layouts[0] as Layout };
}

/**
 * Reads a model folder in Hugging Face layout, or in that of the first LLaVA release. Weights become float32.
 * @throws TesseraError for a configuration or weights that do not fit, naming file, key, expected and got.
 */
export function loadModel(folder: string): LoadedModel {
  const config = readJsonObject(join(folder, 'config.json'));
  refuseQuantized(config, join(folder, 'config.json'));
  refuseRounded(folder);
  if (isOriginalLlava(config)) return loadOriginal(folder, config);
  if (isOpenFlamingo(config)) return loadTrainedParts(folder, config);
  if (isJsonObject(config.base_models)) return loadBeside(folder, config, config.base_models);
  const model = modelFromConfig(projectorOfFile(config), join(folder, 'config.json'));
  const specs = parameterSpecs(model);
  const checkpoint = openCheckpoint(folder);
  refuseProjectorAlone(checkpoint.tensors.keys(), folder);
  const source = sourceOf(specs, checkpoint, model.layouts, model.tied);
  return withoutSecondLayer({ model, store: filled(specs, [source]), layout: source.match.layout });
}

/** Files that hold some parameters of a model, every name and shape checked. */
interface Source {
  readonly checkpoint: Checkpoint;
  readonly match: NameMatch;
}

function sourceOf(
  wanted: ReadonlyMap<string, ParameterSpec>,
  checkpoint: Checkpoint,
  layouts: readonly Layout[],
  tied: Named<string> = {},
): Source {
  refusePacked(checkpoint.tensors.keys(), checkpoint.folder);
  const options = { path: checkpoint.folder, tied: new Map(Object.entries(tied)) };
  return { checkpoint, match: matchNames(wanted, checkpoint.tensors, layouts, options) };
}

/** Room is made only for parameters that are known to be in the files, whatever sizes a configuration claims. */
function filled(specs: ReadonlyMap<string, ParameterSpec>, sources: readonly Source[]): ParameterStore {
  const store = allocateStore(specs);
  for (const source of sources) fillFrom(store, source);
  return store;
}

function fillFrom(store: ParameterStore, { checkpoint, match }: Source): void {
  const paths = [...match.names.keys()];
  const targets = new Map(paths.map((path) => [path, (store.tensors.get(path) as Tensor<'float32'>).data]));
  loadWeights(checkpoint, match, targets);
}

/** A model whose folder holds a part of it, and names the folders of the others. */
function loadBeside(folder: string, { base_models: _, ...config }: JsonObject, bases: JsonObject): LoadedModel {
  const model = modelFromConfig(config, join(folder, 'config.json'));
  const hosts = Object.entries(bases).map(([part, name]) => {
    return { part, prefix: partPrefix(model, part), folder: partFolder(folder, part, name) };
  });
  const specs = parameterSpecs(model);
  const own = new Map([...specs].filter(([path]) => !hosts.some(({ prefix }) => path.startsWith(prefix))));
  const source = sourceOf(own, openCheckpoint(folder), model.layouts);
  const store = filled(specs, [source]);
  for (const host of hosts) {
    const loaded = loadModel(host.folder);
    copyPart(loaded, partPrefix(loaded.model, host.part), store, host.prefix);
  }
  const from = Object.fromEntries(hosts.map((host) => [host.part, host.folder]));
  return { model, store, layout: source.match.layout, from };
}

function loadOriginal(folder: string, config: JsonObject): LoadedModel {
  const checkpoint = openCheckpoint(folder);
  refuseProjectorAlone(checkpoint.tensors.keys(), folder);
  const towerFolder = originalTower(folder, config);
  const tower = visionPart(readJsonObject(join(towerFolder, 'config.json')), towerFolder);
  const model = modelFromConfig(fromOriginalLlava(config, tower));
  const specs = parameterSpecs(model);
  const stored = [...checkpoint.tensors.keys()].some((name) => name.startsWith('model.vision_tower.'));
  const inTower = (path: string) => path.startsWith('vision_tower.');
  const own = new Map([...specs].filter(([path]) => stored || !inTower(path)));
  const source = sourceOf(own, checkpoint, llavaLayouts, model.tied);
  const sources = [source];
  if (!stored) {
    const eyes = new Map([...specs].filter(([path]) => inTower(path)));
    sources.push(sourceOf(eyes, openCheckpoint(towerFolder), mountLayouts(clipVisionLayouts, 'vision_tower.')));
  }
  return { model, store: filled(specs, sources), layout: source.match.layout };
}

/** A folder that holds what was trained, and names the folders of the frozen parts: as paths from it. */
function loadTrainedParts(folder: string, config: JsonObject): LoadedModel {
  const frozen = frozenFolders(config);
  const decoder = loadModel(resolve(folder, frozen.language));
  const eyes = loadModel(resolve(folder, frozen.vision));
  const vision = visionPart(eyes.model.json, frozen.vision);
  const head = `${decoder.model.writer?.linears.head}.weight`;
  const language = { ...decoder.model.json, tie_word_embeddings: !decoder.store.specs.has(head) };
  const where = join(folder, 'config.json');
  const model = modelFromConfig(fromOpenFlamingo(config, { language, vision }, where), where);
  const [layout] = model.layouts as readonly [Layout];
  const specs = parameterSpecs(model);
  const checkpoint = openCheckpoint(folder);
  const places = { language: partPrefix(model, 'language'), vision: partPrefix(model, 'vision') };
  const inFile = new Set([...checkpoint.tensors.keys()].map((name) => fromFileName(layout, name)));
  const isFrozen = (path: string) => path.startsWith(places.language) || path.startsWith(places.vision);
  const own = new Map([...specs].filter(([path]) => !isFrozen(path) || inFile.has(path)));
  const source = sourceOf(own, checkpoint, model.layouts, model.tied);
  const store = allocateStore(specs);
  const grown = withTokenRows(decoder, model.writer?.vocabSize ?? 0, 0);
  copyPart(grown, partPrefix(grown.model, 'language'), store, places.language);
  copyPart(eyes, partPrefix(eyes.model, 'vision'), store, places.vision);
  fillFrom(store, source);
  return { model, store, layout };
}

/** A model as transformers reads it. */
export interface FileForm {
  readonly config: JsonObject;
  /** By their names in files. */
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
  /** From names in files to parameters. */
  readonly paths: ReadonlyMap<string, string>;
}

/** What files hold of a model whose weights are stored as `dtype`. */
export function fileForm(loaded: LoadedModel, dtype: SaveDType): FileForm {
  const { model, store, layout } = withSecondLayer(loaded);
  const names = layoutForFile(model, layout);
  return {
    config: { ...withoutDtype(model.json as JsonObject), dtype },
    tensors: renameForFile(store.tensors, names),
    paths: renameForFile(new Map([...store.tensors.keys()].map((path) => [path, path])), names),
  };
}

/** The first release's key names go with its own configuration, which is not written. */
function layoutForFile(model: Model, layout: Layout): Layout {
  return layout.name.includes('original') ? (model.layouts[0] as Layout) : layout;
}

/**
 * Writes config and weights into a folder, as transformers reads them; `dtype` is what the weights are stored as.
 * @param bases paths from the folder to those of parts that are named and not written, by the name of the part
 */
export function saveModel(
  folder: string,
  loaded: LoadedModel,
  dtype: SaveDType = 'float32',
  bases: Named<string> = {},
): void {
  const { config, tensors, paths } = fileForm(loaded, dtype);
  const named = Object.keys(bases).map((part) => partPrefix(loaded.model, part));
  const held = [...tensors].filter(([name]) => !named.some((prefix) => paths.get(name)?.startsWith(prefix)));
  writeJsonObject(join(folder, 'config.json'), named.length > 0 ? { ...config, base_models: bases } : config);
  writeCheckpoint(folder, new Map(held), { dtype });
}

/** A configuration that no longer says, here or in a part, what type its weights used to have. */
function withoutDtype(json: JsonObject): JsonObject {
  const kept = Object.entries(json).filter(([key]) => key !== 'dtype' && key !== 'torch_dtype');
  const isPart = (value: JsonValue): value is JsonObject =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(kept.map(([key, value]) => [key, isPart(value) ? withoutDtype(value) : value]));
}

/**
 * Fills the part of a store below `toPrefix` from the part of another model below `fromPrefix`.
 * @throws TesseraError `model/part-mismatch` unless every parameter of the part is there with the same shape.
 */
export function copyPart(from: LoadedModel, fromPrefix: string, to: ParameterStore, toPrefix: string): void {
  for (const [path, target] of to.tensors) {
    if (!path.startsWith(toPrefix)) continue;
    const source = from.store.tensors.get(fromPrefix + path.slice(toPrefix.length));
    if (!source || !sameShape(source.shape, target.shape)) {
      throw new TesseraError({
        code: 'model/part-mismatch',
        message: 'a part does not fit the model',
        path,
        expected: formatShape(target.shape),
        got: source ? formatShape(source.shape) : 'no such parameter',
        remedy: 'use parts whose widths and vocabulary are those of the model',
      });
    }
    target.data.set(source.data);
  }
}
