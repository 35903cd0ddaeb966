import { createHash } from 'node:crypto';
import { bytesOf, formatShape, selector, TesseraError } from '../base/index.ts';
import type { ParameterStore } from '../nn/index.ts';
import type { Plan } from '../recipe/index.ts';
import { isKeptByObjective } from '../train/index.ts';
import { loraOf } from './lora.ts';
import type { Parts } from './parts.ts';

/** What a checkpoint says of the parameters that it does not hold. */
export interface BaseRecord {
  readonly parameters: number;
  /** Of their paths, shapes and numbers, in the order of the store. */
  readonly sha256: string;
}

/** The parameters of a stage that no stage has trained so far: the recipe's folders give them again. */
export interface StageBase {
  readonly given: (path: string) => boolean;
  /** Undefined where nothing is given. The numbers are read at the first call, and stay as they are. */
  record(): BaseRecord | undefined;
}

/**
 * The base of stage `index`. What an earlier stage trained, or merged an adapter into, is no part of it; after a first
 * stage that went on from an adapter nothing is.
 */
export function stageBase(
  plan: Plan,
  index: number,
  { loaded }: Pick<Parts, 'loaded'>,
  store: ParameterStore,
  trainable: (path: string) => boolean,
): StageBase {
  const changed = plan.stages.slice(0, index).flatMap((stage) => {
    const lora = stage.lora && loraOf(stage.lora, loaded.model, 0);
    return [selector(stage.trainable), (path: string) => lora?.targets(path.replace(/\.weight$/, '')) ?? false];
  });
  const goneOn = index > 0 && plan.model.adapter !== undefined;
  const moves = (path: string) => trainable(path) || isKeptByObjective(path);
  const given = (path: string) => !goneOn && !moves(path) && !changed.some((test) => test(path));
  let known: BaseRecord | undefined;
  return {
    given,
    record: () => {
      known ??= recordOf(store, given);
      return known.parameters > 0 ? known : undefined;
    },
  };
}

/** A record of the parameters that `given` chooses. */
export function recordOf({ tensors }: ParameterStore, given: (path: string) => boolean): BaseRecord {
  const hash = createHash('sha256');
  let parameters = 0;
  for (const [path, { shape, data }] of tensors) {
    if (!given(path)) continue;
    parameters++;
    hash.update(`${path} ${formatShape(shape)}\n`).update(bytesOf(data));
  }
  return { parameters, sha256: hash.digest('hex') };
}

/**
 * Checks that a store holds the base that a checkpoint was made beside.
 * @throws TesseraError `run/base-changed`
 */
export function checkBase(
  store: ParameterStore,
  given: (path: string) => boolean,
  base: BaseRecord,
  path: string,
): void {
  const found = recordOf(store, given);
  if (found.sha256 === base.sha256) return;
  throw new TesseraError({
    code: 'run/base-changed',
    message: 'the model that the run began with is not what it was; the checkpoint holds only what was trained',
    path,
    expected: `the ${base.parameters} parameters of SHA-256 ${base.sha256}`,
    got: `${found.parameters} of ${found.sha256}`,
    remedy: 'put the folders that the recipe names under model back as they were',
  });
}
