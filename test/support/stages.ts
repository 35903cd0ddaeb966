import { float32, int32, Random, selector, type Tensor } from '../../src/base/index.ts';
import { type ConfigJson, type Model, modelFromConfig, parameterSpecs } from '../../src/models/index.ts';
import { allocateStore, fillStore, initializeStore, type Lora, type ParameterStore } from '../../src/nn/index.ts';
import {
  type Batch,
  type BatchSource,
  type LoopHooks,
  objectiveNamed,
  runStage,
  type Stage,
  type StageOutcome,
  type StageState,
  type StepRecord,
} from '../../src/train/index.ts';
import { sharedEngine } from './evaluate.ts';

/**
 * Tiny stages of training: a model, a source of made-up batches, and hooks that remember. Parameters start
 * large enough for their gradients to be told from rounding.
 */

const text = {
  model_type: 'llama',
  vocab_size: 24,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 32,
  initializer_range: 0.1,
};

const vision = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  image_size: 14,
  patch_size: 7,
  initializer_range: 0.1,
};

export const tinyLlama: ConfigJson = text;

export const tinyLlava: ConfigJson = {
  model_type: 'llava',
  image_token_index: 23,
  text_config: text,
  vision_config: vision,
};

export const tinyClip: ConfigJson = {
  model_type: 'clip',
  projection_dim: 8,
  vision_config: vision,
  text_config: { ...vision, vocab_size: 24, max_position_embeddings: 8 },
};

export function tinyModel(json: ConfigJson, lora?: Lora): { model: Model; store: ParameterStore } {
  const model = modelFromConfig(json);
  const store = allocateStore(parameterSpecs(model, lora));
  initializeStore(store, 1);
  return { model, store };
}

export function copyOf(store: ParameterStore): ParameterStore {
  const copy = allocateStore(store.specs);
  fillStore(copy, store.tensors);
  return copy;
}

/** All numbers of a store, in declaration order. */
export function numbersOf({ tensors }: ParameterStore): Float32Array {
  return Float32Array.from([...tensors.values()].flatMap(({ data }) => [...data]));
}

const LENGTH = 12;

/** A row in which every token follows from the last by one rule; its first tokens are not supervised. */
function ruleRow(random: Random): number[] {
  const row = [random.int(0, 23)];
  while (row.length < LENGTH) row.push(((row.at(-1) as number) * 5 + 3) % 23);
  return row;
}

/** Rows as one batch; row i is supervised from token `2 + i % 3` on, so that rows differ in targets. */
export function textBatch(rows: readonly (readonly number[])[], first = 0): Batch {
  const targetRows: number[] = [];
  const targetIds: number[] = [];
  rows.forEach((row, r) => {
    for (let t = 2 + ((first + r) % 3); t < row.length; t++) {
      targetRows.push(r * LENGTH + t - 1);
      targetIds.push(row[t] as number);
    }
  });
  const feeds = new Map<string, Tensor>([
    ['ids', int32([rows.length, LENGTH], rows.flat())],
    ['targetRows', int32([targetRows.length], targetRows)],
    ['targetIds', int32([targetIds.length], targetIds)],
  ]);
  const units = { token: targetIds.length, sample: rows.length, batch: 1 };
  return { feeds, units, rows: rows.length, tokens: rows.length * LENGTH };
}

export function rowsOf(step: number, count: number): number[][] {
  const random = new Random(1, 'rows', step);
  return Array.from({ length: count }, () => ruleRow(random));
}

/** Text batches with an image before the text of each row. */
export function imageBatch(step: number, count: number): Batch {
  const random = new Random(1, 'pictures', step);
  const rows = rowsOf(step, count).map((row) => row.map((id, t) => (t < 4 ? 23 : id)));
  const batch = textBatch(rows);
  const slots = rows.flatMap((_, r) => [0, 1, 2, 3].map((t) => r * LENGTH + t));
  const shape = [count, 3, 14, 14];
  const pixels = Array.from({ length: count * 3 * 14 * 14 }, () => random.normal());
  const feeds = new Map(batch.feeds)
    .set('pixels', float32(shape, pixels))
    .set('imageRows', int32([slots.length], slots));
  return { ...batch, feeds };
}

/** `lanes` lanes of `accumulate` batches of `rows` rows a step, all of them new. */
export function ruleSource(rows = 4, accumulate = 1, lanes = 1): BatchSource {
  const count = lanes * accumulate;
  return {
    stepsPerEpoch: 4,
    lanes,
    step: async (step) =>
      Array.from({ length: lanes }, (_, lane) =>
        Array.from({ length: accumulate }, (_, i) => textBatch(rowsOf(step * count + lane * accumulate + i, rows))),
      ),
  };
}

const settings: Stage['settings'] = {
  steps: 8,
  lr: 1e-2,
  lrFor: [],
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0.01,
  schedule: 'cosine',
  warmupRatio: 0.1,
  clip: 1,
  saveEvery: 0,
  evalEvery: 0,
  logEvery: 1,
};

type Changes = Omit<Partial<Stage>, 'settings'> & { readonly settings?: Partial<Stage['settings']> };

/** A language-model stage that trains everything, but for what the test says. */
export async function tinyStage(changes: Changes = {}): Promise<Stage> {
  const { model, store } = tinyModel(tinyLlama, changes.lora);
  return {
    name: 'tune',
    engine: await sharedEngine(),
    model,
    store,
    objective: objectiveNamed('lm'),
    trainable: selector(['**']),
    source: ruleSource(),
    ...changes,
    settings: { ...settings, ...changes.settings },
  };
}

export interface Trained {
  readonly outcome: StageOutcome;
  readonly records: StepRecord[];
  /** Copies, as a checkpoint would hold them. */
  readonly saved: StageState[];
  readonly evaluated: number[];
}

/** Runs a stage to its end or until `hooks` stop it. */
export async function train(stage: Stage, hooks: Partial<LoopHooks> = {}, from?: StageState): Promise<Trained> {
  const records: StepRecord[] = [];
  const saved: StageState[] = [];
  const evaluated: number[] = [];
  const outcome = await runStage(
    stage,
    {
      signal: hooks.signal ?? new AbortController().signal,
      async onStep(record, batches) {
        records.push(record);
        await hooks.onStep?.(record, batches);
      },
      async onSave(state) {
        saved.push(copyState(state));
        await hooks.onSave?.(state);
      },
      onEvaluate: async (step) => void evaluated.push(step),
    },
    from,
  );
  return { outcome, records, saved, evaluated };
}

function copyState({ step, moments }: StageState): StageState {
  return { step, moments: { first: moments.first.slice(), second: moments.second.slice() } };
}
