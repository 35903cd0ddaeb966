import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { elementCount, TesseraError } from '../../base/index.ts';
import { writeTextAtomically } from '../../files/index.ts';
import type { TensorSource, WriteOptions } from './safetensors-write.ts';
import { storedBytes, writeSafetensors } from './safetensors-write.ts';

export interface CheckpointOptions extends WriteOptions {
  /** Largest file in bytes of tensors; a larger tensor gets a file of its own. Default 5e9. */
  readonly maxShardBytes?: number;
  /** First part of the file names; default `model`. */
  readonly stem?: string;
}

/**
 * Writes tensors into a folder, in the order of the map: `<stem>.safetensors`, or shards and then their index.
 * Returns the names of the files.
 * @throws TesseraError `checkpoint/exists` when the folder already holds weights of that stem: left-over shards would
 * be read as part of the new ones.
 */
export function writeCheckpoint(
  folder: string,
  tensors: ReadonlyMap<string, TensorSource>,
  options: CheckpointOptions = {},
): string[] {
  const stem = options.stem ?? 'model';
  refuseLeftovers(folder, stem);
  const shards = split(tensors, options);
  if (shards.length === 1) {
    writeSafetensors(join(folder, `${stem}.safetensors`), tensors, options);
    return [`${stem}.safetensors`];
  }
  const digits = (n: number) => String(n).padStart(5, '0');
  const names = shards.map((_, i) => `${stem}-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`);
  shards.forEach((shard, i) => {
    writeSafetensors(join(folder, names[i] as string), shard, options);
  });
  const index = `${stem}.safetensors.index.json`;
  writeTextAtomically(join(folder, index), indexText(shards, names, options));
  return [...names, index];
}

function split(tensors: ReadonlyMap<string, TensorSource>, options: CheckpointOptions): Map<string, TensorSource>[] {
  const limit = options.maxShardBytes ?? 5e9;
  if (!(limit > 0)) {
    const [code, message] = ['checkpoint/shard-bytes', 'the largest shard size is no size'];
    throw new TesseraError({ code, message, path: 'maxShardBytes', expected: 'a positive number', got: `${limit}` });
  }
  const shards = [new Map<string, TensorSource>()];
  let filled = 0;
  for (const [name, tensor] of tensors) {
    const bytes = storedBytes(tensor, options.dtype ?? 'float32');
    if (filled > 0 && filled + bytes > limit) {
      shards.push(new Map());
      filled = 0;
    }
    shards.at(-1)?.set(name, tensor);
    filled += bytes;
  }
  return shards;
}

function indexText(
  shards: readonly ReadonlyMap<string, TensorSource>[],
  names: readonly string[],
  options: CheckpointOptions,
): string {
  const all = shards.flatMap((shard, i) => Array.from(shard, ([name, tensor]) => [name, tensor, names[i]] as const));
  all.sort(([a], [b]) => (a < b ? -1 : 1));
  const total_parameters = all.reduce((sum, [, { shape }]) => sum + elementCount(shape), 0);
  const total_size = all.reduce((sum, [, tensor]) => sum + storedBytes(tensor, options.dtype ?? 'float32'), 0);
  const weight_map = Object.fromEntries(all.map(([name, , file]) => [name, file]));
  return `${JSON.stringify({ metadata: { total_parameters, total_size }, weight_map }, null, 2)}\n`;
}

function refuseLeftovers(folder: string, stem: string): void {
  const mine = (name: string) => name.startsWith(`${stem}.safetensors`) || name.startsWith(`${stem}-`);
  const found = readdirSync(folder).filter((name) => mine(name) && name.includes('.safetensors'));
  if (found.length === 0) return;
  throw new TesseraError({
    code: 'checkpoint/exists',
    message: 'the folder already holds weights',
    path: folder,
    expected: `no ${stem}*.safetensors`,
    got: found.join(', '),
    remedy: 'write into a new folder',
  });
}
