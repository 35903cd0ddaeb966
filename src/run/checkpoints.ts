import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { asTesseraError, type Log, type Tensor, TesseraError } from '../base/index.ts';
import type { DataCountsJson } from '../data/index.ts';
import { checkManifest, Manifest, removeFolder, sweepTemporaries, writeFolder } from '../files/index.ts';
import { openSafetensors, readJsonObject, readTensor, writeSafetensors } from '../models/index.ts';
import { fillStore, type ParameterStore } from '../nn/index.ts';
import type { StageState } from '../train/index.ts';
import { type BaseRecord, checkBase, type StageBase } from './checkpoint-base.ts';
import type { Lost } from './passed-over.ts';
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
  /** Bytes of metrics.jsonl and of samples.jsonl that belong to the past. */
  readonly metricsBytes: number;
  readonly samplesBytes: number;
  /** Stages that are over, and the rows that they read. */
  readonly finished: readonly StageSummary[];
  readonly report: DataCountsJson;
  /** Samples of the stage that turned out to be unreadable. */
  readonly passedOver?: readonly Lost[];
  /** What the checkpoint does not hold, since the recipe's folders do; absent where it holds every parameter. */
  readonly base?: BaseRecord | undefined;
}

export interface SavedState {
  readonly folder: string;
  readonly position: Position;
}

const KEPT = 2;
const names = { parameters: 'parameters.safetensors', optimizer: 'optimizer.safetensors', position: 'position.json' };

/**
 * Writes one checkpoint, whole or not at all, and removes older ones only once it is durable. What stands at a later
 * place of the run is of a future that did not come, and goes too.
 * @param base parameters that are left out
 * @throws TesseraError `run/checkpoint-write`; what was there before is then still there.
 */
export function saveCheckpoint(
  folder: string,
  store: ParameterStore,
  state: StageState,
  position: Position,
  base?: StageBase | undefined,
): void {
  const name = `${position.stage}-${String(position.step).padStart(7, '0')}`;
  try {
    // A place of a run has one state: a sound checkpoint of it need not be written again.
    const sound = existsSync(join(folder, name)) && checkManifest(join(folder, name)) === undefined;
    if (!sound) writeCheckpoint(join(folder, name), heldBy(store, base), state, { ...position, base: base?.record() });
    const all = listCheckpoints(folder);
    const newest = all.indexOf(name);
    const kept = all.slice(Math.max(0, newest + 1 - KEPT), newest + 1);
    for (const other of all.filter((each) => !kept.includes(each))) removeFolder(join(folder, other));
  } catch (error) {
    const remedy = 'check free space and permissions, then go on with `tessera resume`';
    throw asTesseraError(error, { code: 'run/checkpoint-write', path: join(folder, name), remedy });
  }
}

type Tensors = ParameterStore['tensors'];

function heldBy({ tensors }: ParameterStore, base: StageBase | undefined): Tensors {
  return new Map([...tensors].filter(([path]) => !base?.given(path)));
}

function writeCheckpoint(path: string, parameters: Tensors, { moments }: StageState, position: Position): void {
  const vector = (data: Float32Array<ArrayBuffer>) => ({ shape: [data.length], data });
  const optimizer = new Map([
    ['first', vector(moments.first)],
    ['second', vector(moments.second)],
  ]);
  const fill = (partial: string) => {
    const manifest = new Manifest();
    const put = (name: string, tensors: Parameters<typeof writeSafetensors>[1]) =>
      writeSafetensors(join(partial, name), tensors, { observe: manifest.watch(name) });
    put(names.parameters, parameters);
    put(names.optimizer, optimizer);
    manifest.writeText(join(partial, names.position), `${JSON.stringify(position, null, 2)}\n`);
    manifest.write(partial);
  };
  writeFolder(path, fill, { overwrite: true });
}

/** Names of the checkpoints, oldest first; unfinished ones have other names. */
function listCheckpoints(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d+-\d{7,}$/.test(name))
    .sort((a, b) => place(a, 0) - place(b, 0) || place(a, 1) - place(b, 1));
}

const place = (name: string, part: 0 | 1) => Number(name.split('-')[part]);

/**
 * The newest checkpoint of a run that is what was written, byte for byte; undefined when none was finished yet. Says
 * so once when newer ones are damaged.
 * @throws TesseraError `run/no-sound-checkpoint` when there are checkpoints and all are damaged.
 */
export function newestCheckpoint(folder: string, log: Log): SavedState | undefined {
  sweepTemporaries(folder);
  const damaged: string[] = [];
  for (const name of listCheckpoints(folder).reverse()) {
    const fault = checkManifest(join(folder, name));
    if (!fault) {
      if (damaged.length > 0) log.warn(`going back to checkpoint ${name}, for ${damaged.join(', ')}`);
      const position = readJsonObject(join(folder, name, names.position)) as unknown as Position;
      return { folder: join(folder, name), position };
    }
    damaged.push(`${name} is damaged (${fault.path}: ${fault.message})`);
  }
  if (damaged.length === 0) return undefined;
  throw new TesseraError({
    code: 'run/no-sound-checkpoint',
    message: 'every checkpoint of the run is damaged',
    path: folder,
    got: damaged.join(', '),
    remedy: 'put a copy back, or remove the folder of checkpoints to begin again',
  });
}

/** Where the newest checkpoint stands, sound or not: to look at a run, not to go on with it. */
export function newestPosition(folder: string): Position | undefined {
  const name = listCheckpoints(folder).at(-1);
  return name === undefined ? undefined : (readJsonObject(join(folder, name, names.position)) as unknown as Position);
}

/**
 * Puts a checkpoint's parameters into a store that holds those of its base, and returns the state of its stage.
 * @throws TesseraError `run/checkpoint`, `run/base-changed`
 */
export function restoreCheckpoint({ folder, position }: SavedState, store: ParameterStore): StageState {
  const parameters = openSafetensors(join(folder, names.parameters));
  const absent = (path: string) => !parameters.tensors.has(path);
  const missing = [...store.tensors.keys()].find(absent);
  if (missing !== undefined && position.base) checkBase(store, absent, position.base, folder);
  else if (missing !== undefined) {
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
  const optimizer = openSafetensors(join(folder, names.optimizer));
  const moment = (name: string) => (readTensor(optimizer, name) as Tensor<'float32'>).data;
  return { step: position.step, moments: { first: moment('first'), second: moment('second') } };
}
