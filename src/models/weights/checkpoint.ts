import type { Fault } from '../../base/index.ts';
import { elementCount, raise, TesseraError } from '../../base/index.ts';
import type { JsonValue } from '../../files/index.ts';
import { describeJson, isJsonObject, join, lookUp, namesIn, parseJson, readText } from '../../files/index.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { openSafetensors, readFloat32 } from './safetensors.ts';
import type { StoredTensor } from './safetensors-header.ts';

/** The weights of a folder, in one file or many, opened but not read. */
export interface Checkpoint {
  readonly folder: string;
  /** By the names of the files. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors and elements of each stored type: what a load converts. */
  readonly types: ReadonlyMap<string, { readonly tensors: number; readonly elements: number }>;
  /**
   * One tensor as float32, into `into` when it is given.
   * @throws TesseraError as `readFloat32` does, and `checkpoint/unknown-tensor`.
   */
  read(name: string, into?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer>;
}

/**
 * Opens `<stem>.safetensors`, or the shards that `<stem>.safetensors.index.json` names; checks every header, that each
 * tensor of the index is in its shard and in no other, that no shard holds more, none is left out, and the total size.
 * @throws TesseraError `checkpoint/…`, all faults of an index at once.
 * @example const weights = openCheckpoint('runs/llava').read('language_model.model.norm.weight');
 */
export function openCheckpoint(folder: string, stem = 'model'): Checkpoint {
  const names = listFolder(folder);
  const single = `${stem}.safetensors`;
  const index = `${single}.index.json`;
  if (names.includes(single) && names.includes(index)) {
    throw new TesseraError({
      code: 'checkpoint/ambiguous',
      message: 'the folder holds its weights twice',
      path: folder,
      expected: `${single} or ${index}`,
      got: 'both',
      remedy: 'move the one away that is not meant',
    });
  }
  if (names.includes(single)) return assemble(folder, [openSafetensors(join(folder, single))]);
  if (names.includes(index)) return assemble(folder, openShards(folder, index, names));
  throw missing(folder, single, names);
}

function assemble(folder: string, files: readonly SafetensorsFile[]): Checkpoint {
  const owner = new Map(files.flatMap((file) => [...file.tensors.keys()].map((name) => [name, file] as const)));
  const tensors = new Map(files.flatMap((file) => [...file.tensors]));
  const read: Checkpoint['read'] = (name, into) => {
    const file = owner.get(name);
    if (file) return readFloat32(file, name, into);
    const [code, message] = ['checkpoint/unknown-tensor', 'the checkpoint has no such tensor'];
    throw new TesseraError({ code, message, path: folder, got: name });
  };
  return { folder, tensors, types: countTypes(tensors.values()), read };
}

function countTypes(tensors: Iterable<StoredTensor>): Checkpoint['types'] {
  const types = new Map<string, { tensors: number; elements: number }>();
  for (const { dtype, shape } of tensors) {
    const count = types.get(dtype) ?? { tensors: 0, elements: 0 };
    types.set(dtype, { tensors: count.tensors + 1, elements: count.elements + elementCount(shape) });
  }
  return types;
}

function openShards(folder: string, index: string, names: readonly string[]): SafetensorsFile[] {
  const path = join(folder, index);
  const { weightMap, totalSize } = readIndex(path);
  refuseAbsent([...new Set(weightMap.values())], names, path);
  const shards = new Map<string, SafetensorsFile>();
  for (const name of new Set(weightMap.values())) shards.set(name, openSafetensors(join(folder, bareName(name, path))));
  const left = names.filter((name) => isNumbered(name, index) && !shards.has(name));
  const faults = [...unlisted(weightMap, shards, path), ...absent(weightMap, shards, path)];
  if (left.length > 0) {
    const [message, remedy] = ['the index names none of the tensors of a shard', 'copy the folder again'];
    faults.push({
      code: 'checkpoint/unlisted-shard',
      message,
      path,
      expected: 'every shard',
      got: left.join(', '),
      remedy,
    });
  }
  const stored = [...shards.values()].flatMap((file) => [...file.tensors.values()]);
  const bytes = stored.reduce((sum, { begin, end }) => sum + end - begin, 0);
  if (faults.length === 0 && totalSize !== undefined && totalSize !== bytes) {
    const [expected, got] = [`${bytes} bytes, the sum over the shards`, `${totalSize}`];
    const remedy = 'copy the folder again, or correct metadata.total_size';
    const message = 'the total size in the index is wrong';
    faults.push({ code: 'checkpoint/total-size', message, path, expected, got, remedy });
  }
  raise(faults);
  return [...shards.values()];
}

/** Files that a download has not brought. */
function refuseAbsent(shards: readonly string[], names: readonly string[], path: string): void {
  const absent = shards.filter((shard) => shard === bareName(shard, path) && !names.includes(shard));
  if (absent.length === 0) return;
  throw new TesseraError({
    code: 'checkpoint/missing-shard',
    message: `${absent.length} of ${shards.length} files of weights are not in the folder`,
    path,
    expected: absent.sort().join(', '),
    got: shards.filter((shard) => names.includes(shard)).join(', ') || 'none of them',
    remedy: 'download the files that are missing into the folder; the others can stay',
  });
}

/** Whether a file is a shard by its name, such as `model-00002-of-00007.safetensors` beside the index of `model`. */
function isNumbered(name: string, index: string): boolean {
  const stem = index.replace('.safetensors.index.json', '');
  return name.startsWith(`${stem}-`) && /^-\d{5}-of-\d{5}\.safetensors$/.test(name.slice(stem.length));
}

function* unlisted(
  weightMap: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
  path: string,
): Iterable<Fault> {
  for (const [shard, file] of shards) {
    for (const name of file.tensors.keys()) {
      const expected = weightMap.get(name);
      if (expected === shard) continue;
      const message = 'a shard holds a tensor that the index does not place there';
      const place = expected === undefined ? 'no entry in the index' : `only in ${expected}`;
      yield { code: 'checkpoint/unlisted-tensor', message, path: `${path}: ${name}`, expected: place, got: shard };
    }
  }
}

function* absent(
  weightMap: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
  path: string,
): Iterable<Fault> {
  for (const [name, shard] of weightMap) {
    if (shards.get(shard)?.tensors.has(name)) continue;
    const message = 'a tensor of the index is not in its shard';
    yield { code: 'checkpoint/absent-tensor', message, path: `${path}: ${name}`, expected: `in ${shard}` };
  }
}

function readIndex(path: string): { weightMap: Map<string, string>; totalSize: number | undefined } {
  const index = parseJson(readText(path, { code: 'checkpoint/index' }), { file: path, area: 'checkpoint' });
  const map = isJsonObject(index) ? index.weight_map : undefined;
  const metadata = isJsonObject(index) ? (index.metadata ?? {}) : {};
  const total = isJsonObject(metadata) ? metadata.total_size : metadata;
  if (!isJsonObject(map) || !Object.values(map).every(isShardName)) {
    throw malformed(path, 'weight_map: an object of tensor names and .safetensors file names', map);
  }
  if (total !== undefined && !(typeof total === 'number' && Number.isSafeInteger(total) && total >= 0)) {
    throw malformed(path, 'metadata.total_size: a non-negative integer', total);
  }
  return { weightMap: new Map(Object.entries(map) as [string, string][]), totalSize: total };
}

function isShardName(value: JsonValue): boolean {
  return typeof value === 'string' && value.endsWith('.safetensors');
}

function malformed(path: string, expected: string, value: unknown): TesseraError {
  const message = 'the index of the shards is malformed';
  return new TesseraError({ code: 'checkpoint/index', message, path, expected, got: describeJson(value) });
}

function listFolder(folder: string): string[] {
  const entry = lookUp(folder);
  if (entry?.kind === 'folder') return namesIn(folder);
  throw new TesseraError({
    code: 'checkpoint/folder',
    message: 'the checkpoint folder does not exist',
    path: folder,
    expected: 'a folder',
    got: entry ? 'a file' : 'nothing',
  });
}

function missing(folder: string, single: string, names: readonly string[]): TesseraError {
  const pickled = names.filter((name) => /\.(bin|pt|pth|ckpt)(\.index\.json)?$|\.pth\.tar$/.test(name));
  const [path, expected] = [folder, `${single} or ${single}.index.json`];
  const [projector, ...others] = pickled;
  if (projector !== undefined && others.length === 0 && /^(mm_projector|non_lora_trainables)\.bin$/.test(projector)) {
    return new TesseraError({
      code: 'checkpoint/part-only',
      message: 'the folder holds a part of a LLaVA: what its training changed, without the language model',
      path,
      expected,
      got: projector,
      remedy:
        'put it together with its language model by the scripts of LLaVA, or take a folder that holds the whole model',
    });
  }
  if (pickled.length > 0) {
    return new TesseraError({
      code: 'checkpoint/legacy-pickle',
      message: 'the weights are in a pickle file, which tessera does not read',
      path,
      expected,
      got: pickled.join(', '),
      remedy:
        'load the model once with the library that wrote it and save it as safetensors, for example ' +
        '`safetensors.torch.save_file(torch.load(file, weights_only=True), "model.safetensors")` in Python',
    });
  }
  const got = [...names].sort().slice(0, 12).join(', ') || 'an empty folder';
  return new TesseraError({ code: 'checkpoint/missing', message: 'the folder has no weights', path, expected, got });
}

/** Refuses a file name that could leave its folder: only a bare name is one. */
function bareName(name: string, where: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\u0000:]/.test(name)) {
    throw new TesseraError({
      code: 'file/name',
      message: 'a file name would leave its folder',
      path: where,
      expected: 'a bare file name',
      got: JSON.stringify(name),
    });
  }
  return name;
}
