import { float32, int32, Random, type Tensor } from '../../src/base/index.ts';
import type { Example } from '../../src/data/index.ts';
import type { ParameterStore } from '../../src/nn/index.ts';
import { allocateGradients, type Batch, LossProgram, type Objective, objectiveNamed } from '../../src/train/index.ts';
import { sharedEngine } from './evaluate.ts';
import { copyOf, tinyModel } from './stages.ts';

/** Tiny pairs of answers, and their log-probabilities without any method's help. */

/** A row of a prompt and an answer, as a method reads it. */
export function answer(prompt: readonly number[], said: readonly number[]): Example {
  const ids = Int32Array.from([...prompt, ...said]);
  const supervised = Uint8Array.from(ids, (_, t) => (t < prompt.length ? 0 : 1));
  return { id: 'pair', where: 'pair', ids, supervised, media: [] };
}

/** A row whose tokens belong to these phrases, counted from the first of the answer. */
export function marked(row: Example, phrases: readonly number[]): Example {
  const asked = row.ids.length - phrases.length;
  return { ...row, phrases: Uint16Array.from(row.ids, (_, t) => phrases[t - asked] ?? 0) };
}

/** Pixels of an image of the tiny vision tower. */
export function pixels(seed: number): Float32Array {
  const random = new Random(1, 'pixels', seed);
  return Float32Array.from({ length: 3 * 14 * 14 }, () => random.normal());
}

/** Rows in which the first four tokens are an image, as a batch of an objective, padded to `width`. */
export function pairBatch(
  objective: Objective,
  rows: readonly Example[],
  { width = Math.max(...rows.map(({ ids }) => ids.length)), images = [] as readonly Float32Array[] } = {},
): Batch {
  const ids = rows.flatMap(({ ids }) => [...ids, ...Array<number>(width - ids.length).fill(0)]);
  const feeds = new Map<string, Tensor>([['ids', int32([rows.length, width], ids)], ...objective.feeds(rows, width)]);
  if (images.length > 0) {
    const slots = rows.flatMap((_, r) => [0, 1, 2, 3].map((t) => r * width + t));
    feeds.set(
      'pixels',
      float32(
        [images.length, 3, 14, 14],
        images.flatMap((image) => [...image]),
      ),
    );
    feeds.set('imageRows', int32([slots.length], slots));
  }
  const units = { token: 1, sample: rows.length / objective.views.length, batch: 1 };
  return { feeds, units, rows: rows.length, tokens: ids.length };
}

/** A tiny model as policy and, somewhat moved, as what it is compared with. */
export function policyAndReference(json: Parameters<typeof tinyModel>[0]) {
  const { model, store } = tinyModel(json);
  const reference = copyOf(store);
  const random = new Random(5, 'reference');
  for (const { data } of reference.tensors.values()) {
    for (let i = 0; i < data.length; i++) (data as Float32Array)[i] = (data[i] as number) + 0.05 * random.normal();
  }
  return { model, store, reference };
}

/**
 * A program that trains all of a tiny model by an objective over pairs.
 * @param own whether the model is compared with itself
 */
export async function pairProgram(json: Parameters<typeof tinyModel>[0], objective: Objective, own = false) {
  const parts = policyAndReference(json);
  const gradients = allocateGradients(parts.store, () => true);
  const program = new LossProgram({
    engine: await sharedEngine(),
    model: parts.model,
    store: parts.store,
    objective,
    reference: own ? parts.store : parts.reference,
    trained: [...gradients.tensors.keys()],
  });
  return { ...parts, objective, gradients, program };
}

/** Log-probability of each supervised token of a row, one forward pass a token. */
export async function tokenLogProbs(
  model: ReturnType<typeof tinyModel>['model'],
  store: ParameterStore,
  row: Example,
  image?: Float32Array,
): Promise<number[]> {
  const objective = objectiveNamed('lm');
  const program = new LossProgram({ engine: await sharedEngine(), model, store, objective });
  const found: number[] = [];
  for (const t of row.ids.keys()) {
    if (row.supervised[t] !== 1) continue;
    const supervised = Uint8Array.from(row.ids, (_, i) => (i === t ? 1 : 0));
    const batch = pairBatch(objective, [{ ...row, supervised }], image ? { images: [image] } : {});
    found.push(-(await program.run(batch, { token: 1, sample: 1, batch: 1 })).loss);
  }
  await program.dispose();
  return found;
}
