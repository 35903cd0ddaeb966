import { float32, int32, type Tensor } from '../../src/base/index.ts';
import { Graph, gather, gradients, reshape, tokenLogProb, type Value } from '../../src/graph/index.ts';
import { declareInputs, type LoadedModel, modelThat, type WriterModel } from '../../src/models/index.ts';
import { type Lora, ParameterTrace } from '../../src/nn/index.ts';
import { languageModeling } from '../../src/objectives/index.ts';
import { evaluate } from './evaluate.ts';
import { numbers } from './fixtures.ts';
import { cropTo } from './processor.ts';

/** Inputs of a language-model loss. */
export interface CausalBatch {
  /** int32 `[B, T]`. */
  readonly ids: Tensor;
  /** Flat rows of the logits that are wanted. */
  readonly rows: Tensor;
  readonly targetRows: Tensor;
  readonly targetIds: Tensor;
  readonly pixels?: Tensor;
  readonly imageRows?: Tensor;
  /** What is answered, where it is no part of `ids`. */
  readonly sourceIds?: Tensor;
  readonly sourceLengths?: Tensor;
}

export interface CausalResult {
  readonly logits: number[];
  readonly loss: number;
  /** Parameters that the loss does not reach are missing. */
  readonly grads: ReadonlyMap<string, number[]>;
  /** Every parameter that the model asked for. */
  readonly parameters: readonly string[];
}

export interface CausalOptions {
  readonly fusion?: boolean;
  readonly lora?: Lora;
  /** Times this goes the sum over targets; one over their number by default. */
  readonly scale?: number;
}

/** The batch that a reference file of a language model describes; `imageToken` marks the image slots. */
export function referenceBatch(expected: ReadonlyMap<string, Tensor>, imageToken?: number): CausalBatch {
  const [b, t] = (expected.get('input_ids') as Tensor).shape as [number, number];
  const ids = numbers(expected.get('input_ids'));
  const labels = numbers(expected.get('labels'));
  const supervised = [...labels.keys()].filter((i) => i % t > 0 && (labels[i] as number) >= 0);
  const slots = [...ids.keys()].filter((i) => ids[i] === imageToken);
  const column = (values: readonly number[]) => int32([values.length], values);
  const pixels = expected.get('pixel_values');
  return {
    // The first release marks slots by a negative id; what stands in a slot is never looked at.
    ids: int32(
      [b, t],
      ids.map((id) => Math.max(id, 0)),
    ),
    rows: column(numbers(expected.get('rows'))),
    targetRows: column(supervised.map((i) => i - 1)),
    targetIds: column(supervised.map((i) => labels[i] as number)),
    ...(pixels && { pixels, imageRows: column(slots) }),
  };
}

/** As `referenceBatch`, for a model that answers a source. */
export function sourceBatch(expected: ReadonlyMap<string, Tensor>, imageToken?: number): CausalBatch {
  const of = (name: string) => numbers(expected.get(name));
  const shape = (name: string) => (expected.get(name) as Tensor).shape as [number, number];
  const [b, s] = shape('input_ids');
  const [ids, mask, labels, rows] = [of('input_ids'), of('attention_mask'), of('labels'), of('rows')];
  const column = (values: readonly number[]) => int32([values.length], values);
  const lengths = Array.from({ length: b }, (_, i) => mask.slice(i * s, (i + 1) * s).reduce((x, y) => x + y));
  const pixels = expected.get('pixel_values');
  const slots = [...ids.keys()].filter((i) => ids[i] === imageToken);
  return {
    sourceIds: int32([b, s], ids),
    sourceLengths: column(lengths),
    ids: int32(shape('labels'), of('decoder_input_ids')),
    rows: column(rows),
    targetRows: column(rows),
    targetIds: column(rows.map((row) => labels[row] as number)),
    ...(pixels && { pixels, imageRows: column(slots) }),
  };
}

/** Logits, loss and the gradient of every parameter. */
export async function runCausal(
  { model: loaded, store }: Pick<LoadedModel, 'model' | 'store'>,
  batch: CausalBatch,
  options: CausalOptions = {},
): Promise<CausalResult> {
  const model = modelThat('writer', loaded, 'the folder');
  const graph = new Graph({ fusion: options.fusion ?? true });
  const trace = new ParameterTrace(graph, { lora: options.lora });
  const outputs = buildLoss(graph, trace, model, batch);
  const wrt = [...trace.values];
  gradients(
    outputs.get('loss') as Value,
    wrt.map(([, value]) => value),
  ).forEach((grad, i) => {
    if (grad) outputs.set(`grad.${wrt[i]?.[0]}`, grad);
  });
  const scale = options.scale ?? 1 / batch.targetIds.data.length;
  const feeds = new Map<string, Tensor>([...store.tensors, ...Object.entries(batch), ['scale', float32([], [scale])]]);
  const got = await evaluate(graph, outputs, feeds);
  const grads = [...got].filter(([name]) => name.startsWith('grad.'));
  return {
    logits: numbers(got.get('logits')),
    loss: numbers(got.get('loss'))[0] as number,
    grads: new Map(grads.map(([name, t]) => [name.slice('grad.'.length), numbers(t)])),
    parameters: wrt.map(([name]) => name),
  };
}

function buildLoss(graph: Graph, trace: ParameterTrace, model: WriterModel, batch: CausalBatch): Map<string, Value> {
  const p = trace.root();
  const { writer } = model;
  const inputs = batchInputs(graph, model, batch);
  // Logits come from states of all rows, the loss and its gradients from those of the supervised rows alone.
  const all = reshape(writer.hidden(p, inputs).hidden, [-1, writer.width]);
  const logits = writer.head(p, gather(all, graph.input('rows', 'int32', ['R'])));
  const { hidden } = writer.hidden(p, inputs, { rows: graph.input('targetRows', 'int32', ['K']) });
  const chosen = tokenLogProb(writer.head(p, hidden), graph.input('targetIds', 'int32', ['K']));
  const loss = languageModeling(chosen, graph.input('scale', 'float32', []));
  return new Map([
    ['logits', logits],
    ['loss', loss],
  ]);
}

/** Inputs for images of the batch's own size, which need not be the model's. */
function batchInputs(graph: Graph, model: WriterModel, batch: CausalBatch) {
  const { pixels } = batch;
  const names = new Set(Object.keys(batch));
  if (!pixels) return declareInputs(graph, model.processor().inputs, names);
  const [, , height, width] = pixels.shape as [number, number, number, number];
  return declareInputs(graph, model.processor(cropTo(height, width)).inputs, names);
}
