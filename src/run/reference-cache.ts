import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, type Tensor, TesseraError } from '../base/index.ts';
import { type Example, mediaKey } from '../data/index.ts';
import { makeFolder, syncFile } from '../files/index.ts';
import type { LoadedModel } from '../models/index.ts';
import type { Batch, KeptReference, LossProgram, SampleRows, SourceOptions } from '../train/index.ts';
import { exampleSource } from '../train/index.ts';
import { recordOf } from './checkpoint-base.ts';
import type { Hooks } from './types.ts';
import { dataCache, refuseStopped } from './world-cache.ts';

/** Version of the file and of what its name stands for. */
const FORMAT = 1;
const DIGEST = 32;

/** Log-probabilities by the reference of the rows that a stage reads; empty until it is filled. */
export interface ReferenceCache extends KeptReference {
  /**
   * Fills it, from the file that an earlier run left as far as that goes. A file belongs to one set of weights, rows and
   * template; each of its batches stands behind a checksum of itself and of all that the model is fed for it, images too. What
   * does not check out is computed again, so a run that dies leaves no wrong number.
   * @param program computes what the file lacks
   */
  fill(program: LossProgram, hooks: Hooks): Promise<void>;
}

export interface CachedRows {
  /** What the stage begins with, without its adapters. */
  readonly reference: LoadedModel;
  /** The rows that its steps read, in a fixed order. */
  readonly samples: readonly SampleRows[];
  /** How batches of them are read. */
  readonly source: Omit<SourceOptions, 'samples' | 'plan' | 'accumulate' | 'lanes' | 'reference' | 'passedOver'>;
  readonly batch: number;
}

/** @returns undefined for an objective that keeps nothing of its reference */
export function referenceCache(rows: CachedRows): ReferenceCache | undefined {
  const { objective } = rows.source;
  const at = objective.before?.findIndex(({ weights, kept }) => weights === 'reference' && kept) ?? -1;
  const kept = objective.before?.[at]?.kept;
  if (!kept) return undefined;
  const values = new Map<Example, Float32Array>();
  return {
    feed: kept.feed,
    of(row) {
      const found = values.get(row);
      if (found) return found;
      throw new TesseraError({
        code: 'train/no-reference',
        message: 'the row is not among those that the reference was asked about',
        path: row.where,
        remedy: 'set reference to copy, or mend the rows that cannot be read',
      });
    },
    fill: (program, hooks) => fillValues(values, rows, { at, ...kept }, program, hooks),
  };
}

async function fillValues(
  values: Map<Example, Float32Array>,
  rows: CachedRows,
  { at, feed, entries }: { readonly at: number; readonly feed: string; entries(row: Example): number },
  program: LossProgram,
  hooks: Hooks,
): Promise<void> {
  const folder = join(dataCache(), 'references');
  makeFolder(folder);
  const file = openBatches(join(folder, `${keyOf(rows)}.bin`));
  const { stepsPerEpoch: total, step } = batchesOf(rows);
  for (let done = 0; done < total; done++) {
    refuseStopped(hooks);
    const [batch] = (await step(done)).flat() as [Batch];
    const examples = rowsOf(rows, done);
    const fed = digestOf(batch);
    const count = examples.reduce((n, row) => n + entries(row), 0);
    let data = file.next(fed, count);
    if (!data) {
      const found = await program.runBefore(at, batch, hooks.signal);
      data = Float32Array.from((found.get(feed) as Tensor<'float32'>).data);
      file.add(fed, data);
    }
    let from = 0;
    for (const row of examples) {
      values.set(row, data.slice(from, from + entries(row)));
      from += entries(row);
    }
    hooks.progress({ label: 'reference', done: done + 1, total, unit: 'batches', numbers: {} });
  }
}

/** Batches of the rows in their order. */
function batchesOf({ source, samples, batch }: CachedRows) {
  const stepsPerEpoch = Math.ceil(samples.length / batch);
  const at = (step: number) => samples.map((_, i) => i).slice(step * batch, (step + 1) * batch);
  return exampleSource({ ...source, samples, plan: { stepsPerEpoch, at }, accumulate: 1, lanes: 1 });
}

const rowsOf = ({ samples, batch }: CachedRows, step: number): Example[] =>
  samples.slice(step * batch, (step + 1) * batch).flat();

/** Of the weights and of the rows as the template writes them; what an image holds is told by what the model is fed. */
function keyOf({ reference: { model, store }, samples, batch, source }: CachedRows): string {
  const hash = createHash('sha256');
  const { sha256 } = recordOf(store, () => true);
  hash.update(JSON.stringify([FORMAT, sha256, model.architecture, model.json, source.objective.name, batch]));
  for (const { ids, supervised, media } of samples.flat()) {
    hash.update(JSON.stringify([ids.length, media.map((shown) => mediaKey(shown.media))]));
    hash.update(bytesOf(ids)).update(supervised);
  }
  return hash.digest('hex').slice(0, 32);
}

function digestOf({ feeds }: Batch): Uint8Array {
  const hash = createHash('sha256');
  for (const [name, { shape, data }] of [...feeds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${shape.join(' ')}\n`).update(bytesOf(data));
  }
  return hash.digest();
}

/** A file of batches, read from its beginning; from the first that does not check out it is written anew. */
function openBatches(path: string) {
  const there = existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array(0);
  let at = 0;
  let writing = false;
  const sum = (fed: Uint8Array, bytes: Uint8Array) => createHash('sha256').update(fed).update(bytes).digest();
  return {
    next(fed: Uint8Array, count: number): Float32Array<ArrayBuffer> | undefined {
      const end = at + DIGEST + 4 * count;
      if (writing || end > there.length) return undefined;
      const bytes = there.slice(at + DIGEST, end);
      if (!sum(fed, bytes).equals(there.subarray(at, at + DIGEST))) return undefined;
      at = end;
      return new Float32Array(bytes.buffer);
    },
    add(fed: Uint8Array, data: Float32Array<ArrayBuffer>): void {
      if (!writing && existsSync(path)) truncateSync(path, at);
      writing = true;
      const bytes = bytesOf(data);
      appendFileSync(path, Buffer.concat([sum(fed, bytes), bytes]));
      syncFile(path);
    },
  };
}
