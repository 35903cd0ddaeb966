import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { float32, int32, type Tensor } from '../../src/base/index.ts';
import { Graph, gather, gradients, reshape, tokenLogProb, type Value } from '../../src/graph/index.ts';
import { declareInputs, loadModel, modelThat, openCheckpoint, saveModel } from '../../src/models/index.ts';
import { ParameterTrace } from '../../src/nn/index.ts';
import { languageModeling } from '../../src/objectives/index.ts';
import { evaluate } from '../support/evaluate.ts';
import { fixture, fixtureTensors, numbers } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();

const cases = readdirSync(fixture('encoder-decoder'));
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

/** A model's logits and loss, with its reference's inputs to feed. */
function build(name: string, fusion: boolean) {
  const { model: loaded, store } = loadModel(fixture(`encoder-decoder/${name}`));
  const model = modelThat('writer', loaded, name);
  const { writer } = model;
  const graph = new Graph({ fusion });
  const trace = new ParameterTrace(graph);
  const p = trace.root();
  const x = declareInputs(graph, model.processor().inputs);
  const states = (rows?: Value) => writer.hidden(p, x, { rows }).hidden;
  const all = reshape(states(), [-1, writer.width]);
  const logits = writer.head(p, gather(all, graph.input('rows', 'int32', ['R'])));
  const chosen = writer.head(p, states(graph.input('targetRows', 'int32', ['K'])));
  const targets = tokenLogProb(chosen, graph.input('targetIds', 'int32', ['K']));
  return { store, graph, trace, logits, loss: languageModeling(targets, graph.input('scale', 'float32', [])) };
}

describe('encoder-decoders against transformers', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const built = build(name, fusion);
    const expected = fixtureTensors(`encoder-decoder/${name}/expected.safetensors`);
    const of = (key: string) => numbers(expected.get(key));
    const [b, s] = (expected.get('input_ids') as Tensor).shape as [number, number];
    const [, t] = (expected.get('labels') as Tensor).shape as [number, number];
    const labels = of('labels');
    const rows = of('rows');
    const column = (values: readonly number[]) => int32([values.length], values);
    const mask = of('attention_mask');
    const lengths = Array.from({ length: b }, (_, i) => mask.slice(i * s, (i + 1) * s).reduce((x, y) => x + y));
    const outputs = new Map<string, Value>([
      ['logits', built.logits],
      ['loss', built.loss],
    ]);
    const wrt = [...built.trace.values];
    gradients(
      built.loss,
      wrt.map(([, value]) => value),
    ).forEach((grad, i) => {
      if (grad) outputs.set(`grad.${wrt[i]?.[0]}`, grad);
    });
    const feeds = new Map<string, Tensor>([
      ...built.store.tensors,
      ['sourceIds', int32([b, s], of('input_ids'))],
      ['sourceLengths', column(lengths)],
      ['ids', int32([b, t], of('decoder_input_ids'))],
      ['rows', column(rows)],
      ['targetRows', column(rows)],
      ['targetIds', column(rows.map((row) => labels[row] as number))],
      ['scale', float32([], [1 / rows.length])],
    ]);
    const got = await evaluate(built.graph, outputs, feeds);
    expectLogits(numbers(got.get('logits')), expected.get('logits'));
    expectLoss(numbers(got.get('loss'))[0] as number, expected.get('loss'));
    const grads = [...got].filter(([key]) => key.startsWith('grad.'));
    expectGradients(new Map(grads.map(([key, tensor]) => [key.slice(5), numbers(tensor)])), expected, (key) => key);
  });

  it.each(cases)('%s: is saved under the names and shapes that transformers wrote', (name) => {
    const folder = fresh();
    saveModel(folder, loadModel(fixture(`encoder-decoder/${name}`)));
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(`encoder-decoder/${name}`)));
  });
});
