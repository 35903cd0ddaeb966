import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Tensor, TesseraError } from '../../base/index.ts';
import type { DataCountsJson } from '../../data/index.ts';
import {
  openSafetensors,
  readJsonObject,
  readTensor,
  writeFolder,
  writeJsonObject,
  writeSafetensors,
} from '../../models/index.ts';
import { fillStore, type ParameterStore } from '../../nn/index.ts';
import type { StageState } from '../../train/index.ts';
import type { StageSummary } from './types.ts';

/** Where a run was when a checkpoint was written. */
export interface Position {
  /** Index of the stage. */
  readonly stage: number;
  /** Optimizer steps of the stage done. */
  readonly step: number;
  /** Loss of the last step. */
  readonly loss: number;
  /** Seconds spent in the stage. */
  readonly seconds: number;
  /** Bytes of metrics.jsonl that belong to the past. */
  readonly metricsBytes: number;
  /** Stages that are over, and the rows that they read. */
  readonly finished: readonly StageSummary[];
  readonly report: DataCountsJson;
}

export interface SavedState {
  readonly folder: string;
  readonly position: Position;
}

const KEPT = 2;

/** Writes one checkpoint, whole or not at all, and then removes all but the newest. */
export function saveCheckpoint(folder: string, store: ParameterStore, state: StageState, position: Position): void {
  mkdirSync(folder, { recursive: true });
  const name = `${position.stage}-${String(position.step).padStart(7, '0')}`;
  const vector = (data: Float32Array<ArrayBuffer>) => ({ shape: [data.length], data });
  writeFolder(
    join(folder, name),
    (partial) => {
      writeSafetensors(join(partial, 'parameters.safetensors'), store.tensors);
      const moments = new Map([
        ['first', vector(state.moments.first)],
        ['second', vector(state.moments.second)],
      ]);
      writeSafetensors(join(partial, 'optimizer.safetensors'), moments);
      writeJsonObject(join(partial, 'position.json'), JSON.parse(JSON.stringify(position)));
    },
    { overwrite: true },
  );
  for (const old of listCheckpoints(folder).slice(0, -KEPT)) rmSync(join(folder, old), { recursive: true });
}

/** Names of the checkpoints, oldest first; unfinished ones have other names. */
function listCheckpoints(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d+-\d{7}$/.test(name))
    .sort((a, b) => Number(a.split('-')[0]) - Number(b.split('-')[0]) || (a < b ? -1 : 1));
}

/** The newest checkpoint of a run, if it has one. */
export function newestCheckpoint(folder: string): SavedState | undefined {
  const name = listCheckpoints(folder).at(-1);
  if (name === undefined) return undefined;
  const position = readJsonObject(join(folder, name, 'position.json')) as unknown as Position;
  return { folder: join(folder, name), position };
}

/** Puts a checkpoint's parameters into a store and returns the state of its stage. */
export function restoreCheckpoint({ folder, position }: SavedState, store: ParameterStore): StageState {
  const parameters = openSafetensors(join(folder, 'parameters.safetensors'));
  const missing = [...store.tensors.keys()].find((path) => !parameters.tensors.has(path));
  if (missing !== undefined) {
    throw new TesseraError({
      code: 'run/checkpoint',
      message: 'the checkpoint does not belong to this recipe',
      path: folder,
      expected: missing,
      got: 'no such parameter',
      remedy: 'resume with the recipe.yaml of the run folder',
    });
  }
  fillStore(
    store,
    new Map([...parameters.tensors.keys()].map((path) => [path, readTensor(parameters, path) as Tensor<'float32'>])),
  );
  const optimizer = openSafetensors(join(folder, 'optimizer.safetensors'));
  const moment = (name: string) => (readTensor(optimizer, name) as Tensor<'float32'>).data;
  return { step: position.step, moments: { first: moment('first'), second: moment('second') } };
}
