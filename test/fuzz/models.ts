import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../src/base/index.ts';
import {
  type ConfigJson,
  clipJson,
  clipVisionJson,
  type JsonObject,
  llamaJson,
  llavaJson,
  llavaLayouts,
  loadModel,
  modelFromConfig,
  openCheckpoint,
  parameterSpecs,
  readAdapter,
  readJsonObject,
} from '../../src/models/index.ts';
import { fixture, fixtureJson } from '../support/fixtures.ts';
import { spoilBytes } from './bytes.ts';
import { spoilTree, treeOf, writeTree } from './json.ts';
import { type Files, type Target, textBytes, textOf } from './target.ts';

const bytesOf = (path: string) => new Uint8Array(readFileSync(fixture(path)));

/** A JSON file with spoilt places, sometimes with spoilt bytes too. */
export function spoilJson(value: unknown, random: Random): Uint8Array {
  const text = textBytes(writeTree(spoilTree(treeOf(value), random)));
  return random.chance(0.2) ? spoilBytes(text, random) : text;
}

const language = llamaJson('tiny', { vocabSize: 300, bos: 1, eos: 2 });
const vision = clipVisionJson('tiny');
const configs: readonly ConfigJson[] = [
  language,
  {
    ...language,
    model_type: 'qwen2',
    tie_word_embeddings: true,
    rope_parameters: { rope_type: 'default', rope_theta: 1e4 },
  },
  vision,
  clipJson('tiny', { vocabSize: 300 }),
  llavaJson({ vision, language, projector: 'mlp', imageTokenId: 7 }),
];

/** Configurations, as far as the sizes of all parameters. */
const config: Target = {
  name: 'config',
  onDisk: true,
  make: (random) => new Map([['config.json', spoilJson(random.pick(configs), random)]]),
  read: (_, place) => parameterSpecs(modelFromConfig(readJsonObject(join(place, 'config.json')))),
};

const llava = ['config.json', 'model.safetensors'].map((name) => [name, bytesOf(`llava/v1.5/${name}`)] as const);

/** Whole model folders: a configuration that no longer fits, or weights that are spoilt. */
const model: Target = {
  name: 'model',
  onDisk: true,
  make(random) {
    const files = new Map<string, Uint8Array>(llava);
    if (random.chance(0.7)) files.set('config.json', spoilJson(fixtureJson('llava/v1.5/config.json'), random));
    else files.set('model.safetensors', spoilHead(files.get('model.safetensors') as Uint8Array, random));
    return files;
  },
  read: (_, place) => loadModel(place),
};

/** Spoils the header of a file, where it matters, rather than its numbers. */
function spoilHead(file: Uint8Array, random: Random): Uint8Array {
  const head = spoilBytes(file.subarray(0, 2000), random);
  return new Uint8Array(Buffer.concat([head, file.subarray(2000, random.chance(0.2) ? 5000 : undefined)]));
}

const shardNames = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
/** Two files of one tensor each. */
const shards = shardNames.map((name, i): readonly [string, Uint8Array] => {
  const header = JSON.stringify({ [`t${i}`]: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }).padEnd(64);
  const file = new Uint8Array(8 + 64 + 4);
  file[0] = 64;
  file.set(textBytes(header), 8);
  return [name, file];
});
const index = { metadata: { total_size: 8 }, weight_map: { t0: shardNames[0], t1: shardNames[1] } };

const shardIndex: Target = {
  name: 'index',
  onDisk: true,
  make: (random) => new Map([...shards, ['model.safetensors.index.json', spoilJson(index, random)]]),
  read: (_, place) => openCheckpoint(place),
  /** Only an index that says what `index` says describes these two files. */
  verdict(files, read) {
    if (read === undefined) return undefined;
    const json = JSON.parse(textOf(files, 'model.safetensors.index.json')) as typeof index;
    const { t0, t1, ...others } = json.weight_map;
    const total = (json.metadata as { total_size?: number } | null | undefined)?.total_size ?? 8;
    return t0 === shardNames[0] && t1 === shardNames[1] && Object.keys(others).length === 0 && total === 8;
  },
};

const base = new Map(
  Object.entries(
    (fixtureJson('weights/names.json') as Record<string, Record<string, number[]>>)['llava-hub'] ?? {},
  ).map(([name, shape]) => [name, { shape }]),
);
const adapterConfig = fixtureJson('weights/adapter/adapter_config.json') as JsonObject;
const adapterFiles: Files = new Map(
  ['adapter_config.json', 'adapter_model.safetensors'].map((name) => [name, bytesOf(`weights/adapter/${name}`)]),
);

const adapter: Target = {
  name: 'adapter',
  onDisk: true,
  make(random) {
    const files = new Map<string, Uint8Array>(adapterFiles);
    const weights = files.get('adapter_model.safetensors') as Uint8Array;
    if (random.chance(0.7)) files.set('adapter_config.json', spoilJson(adapterConfig, random));
    else files.set('adapter_model.safetensors', spoilHead(weights, random));
    return files;
  },
  read: (_, place) => readAdapter(place, base, llavaLayouts),
  /** Rank and scale are numbers that fit the tensors, whatever the file says. */
  verdict(_, read) {
    if (read === undefined) return undefined;
    const { config } = read as ReturnType<typeof readAdapter>;
    return config.r === 2 && config.alpha > 0 && Number.isFinite(config.alpha);
  },
};

export const modelTargets: readonly Target[] = [config, model, shardIndex, adapter];
