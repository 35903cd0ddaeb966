import { describe, expect, it } from 'vitest';
import { int32, type Tensor } from '../../src/base/index.ts';
import { add, Graph, gradients, mul, reduceSum, type Value } from '../../src/graph/index.ts';
import { type LoadedModel, loadModel, modelThat } from '../../src/models/index.ts';
import { clipVision, clipVisionConfig } from '../../src/models/vision/clip.ts';
import { ParameterTrace } from '../../src/nn/index.ts';
import { contrastive } from '../../src/objectives/index.ts';
import { evaluate } from '../support/evaluate.ts';
import { fixture, fixtureTensors, numbers } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';

type Tensors = ReadonlyMap<string, Tensor>;

interface Case {
  readonly loaded: LoadedModel;
  readonly expected: Tensors;
}

function open(name: string): Case {
  const expected = fixtureTensors(`clip/${name}/expected.safetensors`);
  return { loaded: loadModel(fixture(`clip/${name}`)), expected };
}

const both = (names: readonly string[]) => names.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

/** Runs named outputs and the gradients of `loss` for every parameter. */
async function run(trace: ParameterTrace, outputs: Map<string, Value>, loss: Value, feeds: Map<string, Tensor>) {
  const wrt = [...trace.values];
  gradients(
    loss,
    wrt.map(([, value]) => value),
  ).forEach((grad, i) => {
    if (grad) outputs.set(`grad.${wrt[i]?.[0]}`, grad);
  });
  const got = await evaluate(trace.graph, outputs, feeds);
  const grads = [...got].filter(([name]) => name.startsWith('grad.'));
  return { got, grads: new Map(grads.map(([name, t]) => [name.slice('grad.'.length), numbers(t)])) };
}

describe('the vision tower of CLIP against transformers', () => {
  const cases = both(['vision-quick-gelu', 'vision-gelu', 'vision-nonsquare']);
  it.each(cases)('$name, fusion $fusion: hidden states, pooled row and every gradient', async ({ name, fusion }) => {
    const { loaded, expected } = open(name);
    const graph = new Graph({ fusion });
    const trace = new ParameterTrace(graph);
    const pixels = expected.get('pixel_values') as Tensor;
    const input = graph.input('pixels', 'float32', ['N', ...pixels.shape.slice(1)]);
    const { hiddenStates, pooled } = clipVision(trace.root(), clipVisionConfig(loaded.model.json), input);
    const seeded = (value: Value, cotangent: string) =>
      reduceSum(mul(value, graph.input(cotangent, 'float32', value.shape)));
    const loss = add(
      seeded(hiddenStates.at(-1) as Value, 'cotangent.last_hidden_state'),
      seeded(pooled, 'cotangent.pooler_output'),
    );
    const outputs = new Map([['pooler_output', pooled]]);
    hiddenStates.forEach((state, i) => {
      outputs.set(`hidden_states.${i}`, state);
    });
    const names = [...outputs.keys()];
    const feeds = new Map<string, Tensor>([...expected, ...loaded.store.tensors, ['pixels', pixels]]);
    const { got, grads } = await run(trace, outputs, loss, feeds);
    expect(expected.has(`hidden_states.${hiddenStates.length}`)).toBe(false);
    for (const output of names) expectLogits(numbers(got.get(output)), expected.get(output), output);
    expectGradients(
      grads,
      expected,
      (stored) => stored,
      () => true,
    );
  });
});

describe('both towers of CLIP against transformers', () => {
  it.each(both(['contrastive']))('fusion $fusion: embeddings, logits, loss and every gradient', async ({ fusion }) => {
    const { loaded, expected } = open('contrastive');
    const { embedder } = modelThat('embedder', loaded.model, 'contrastive');
    const graph = new Graph({ fusion });
    const trace = new ParameterTrace(graph);
    const pixels = expected.get('pixel_values') as Tensor;
    const p = trace.root();
    const x = {
      pixels: graph.input('pixels', 'float32', ['B', ...pixels.shape.slice(1)]),
      ids: graph.input('ids', 'int32', ['B', 'T']),
      endRows: graph.input('endRows', 'int32', ['B']),
    };
    const [{ vector: image }, text] = [embedder.image(p, x), embedder.text(p, x)];
    const loss = contrastive(image, text, embedder.logitScale(p));
    const outputs = new Map([
      ['image_embeds', image],
      ['text_embeds', text],
      ['loss', loss],
    ]);
    const feeds = new Map<string, Tensor>([...loaded.store.tensors, ['pixels', pixels], ...textFeeds(expected)]);
    const { got, grads } = await run(trace, outputs, loss, feeds);
    for (const name of ['image_embeds', 'text_embeds']) expectLogits(numbers(got.get(name)), expected.get(name), name);
    expectLoss(numbers(got.get('loss'))[0] as number, expected.get('loss'));
    expectGradients(
      grads,
      expected,
      (stored) => stored,
      () => true,
    );
  });
});

/** Token ids, and of every text the flat row of its first end token. */
function textFeeds(expected: Tensors): [string, Tensor][] {
  const end = 59;
  const ids = numbers(expected.get('input_ids'));
  const [b, t] = (expected.get('input_ids') as Tensor).shape as [number, number];
  const endRows = Array.from({ length: b }, (_, row) => ids.indexOf(end, row * t));
  return [
    ['ids', int32([b, t], ids)],
    ['endRows', int32([b], endRows)],
  ];
}
