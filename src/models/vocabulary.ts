import { Random, type Tensor } from '../base/index.ts';
import { isJsonObject } from '../files/index.ts';
import { storeOf } from '../nn/index.ts';
import { modelFromConfig, parameterSpecs } from './catalog.ts';
import type { ConfigJson } from './config.ts';
import type { LoadedModel } from './loaded.ts';

/** Tables of tokens have a multiple of this many rows, as the conversion of LLaVA to transformers makes them. */
const rowsAtATime = 64;

/** Variance of a new row about the mean of the old ones, as a share of theirs; of the same conversion. */
const spread = 1e-5;

/**
 * The language model with room for the token `id`: where its tables are too short, they grow to the next multiple of 64.
 * Its row and the new ones are drawn about the mean of those before it, so that an unseen token is like any.
 * @param seed of the rows, each table's from a stream of its own
 * @param like an old token, about whose row it is drawn instead
 */
export function withTokenRow(loaded: LoadedModel, id: number, seed: number, like?: number): LoadedModel {
  const { writer } = loaded.model;
  if (!writer) return loaded;
  const { vocabSize } = writer;
  const rows = id < vocabSize ? vocabSize : Math.ceil((id + 1) / rowsAtATime) * rowsAtATime;
  return resized(loaded, rows, { id, seed, like });
}

/** The language model with tables of `rows` rows, of which those that it lacks are drawn as `withTokenRow` draws them. */
export function withTokenRows(loaded: LoadedModel, rows: number, seed: number): LoadedModel {
  const vocabSize = loaded.model.writer?.vocabSize ?? rows;
  return vocabSize < rows ? resized(loaded, rows, { id: vocabSize, seed }) : loaded;
}

interface NewRows {
  /** The first of them. */
  readonly id: number;
  readonly seed: number;
  /** An old row that the first is drawn about. */
  readonly like?: number | undefined;
}

function resized(loaded: LoadedModel, rows: number, { id, seed, like }: NewRows): LoadedModel {
  const { json, writer } = loaded.model;
  const model = modelFromConfig(withVocabulary(json, rows));
  const specs = parameterSpecs(model);
  const tensors = new Map<string, Tensor<'float32'>>();
  for (const [path, { shape }] of specs) {
    const old = loaded.store.tensors.get(path) as Tensor<'float32'>;
    const isTable = old.shape[0] === writer?.vocabSize && tokenTable.test(path);
    tensors.set(path, isTable ? grown(old, shape, { id, like }, new Random(seed, 'rows', path)) : old);
  }
  return { ...loaded, model, store: storeOf(specs, tensors) };
}

/** A configuration with tables of so many rows; those of a system's language part are said in its own. */
function withVocabulary(json: ConfigJson, rows: number): ConfigJson {
  const text = json.text_config;
  if (!isJsonObject(text)) return { ...json, vocab_size: rows };
  return { ...json, text_config: { ...text, vocab_size: rows } };
}

const tokenTable = /(^|\.)(embed_tokens|shared|wte|embed_in|lm_head|embed_out)\.(weight|bias)$/;

function grown(
  old: Tensor<'float32'>,
  shape: readonly number[],
  { id, like }: Omit<NewRows, 'seed'>,
  random: Random,
): Tensor<'float32'> {
  const [rows, width = 1] = shape as [number, number?];
  const data = new Float32Array(rows * width);
  data.set(old.data);
  const { mean, deviation } = statistics(old.data.subarray(0, id * width), width);
  for (let row = id; row < rows; row++) {
    if (row > id && row * width < old.data.length) continue;
    const about = row === id && like !== undefined ? old.data.subarray(like * width, (like + 1) * width) : mean;
    for (let i = 0; i < width; i++) {
      data[row * width + i] = (about[i] as number) + random.normal() * Math.sqrt(spread) * (deviation[i] as number);
    }
  }
  return { dtype: 'float32', shape, data };
}

/** Mean and standard deviation of every column. */
function statistics(data: Float32Array, width: number): { mean: Float64Array; deviation: Float64Array } {
  const rows = data.length / width;
  const [mean, square] = [new Float64Array(width), new Float64Array(width)];
  for (let at = 0; at < data.length; at += width) {
    for (let i = 0; i < width; i++) {
      const x = data[at + i] as number;
      mean[i] = (mean[i] as number) + x / rows;
      square[i] = (square[i] as number) + (x * x) / rows;
    }
  }
  return { mean, deviation: square.map((s, i) => Math.sqrt(Math.max(s - (mean[i] as number) ** 2, 0))) };
}
