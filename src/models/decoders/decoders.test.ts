import { describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../../test/support/compare.ts';
import { evaluate } from '../../../test/support/evaluate.ts';
import { fixture, fixtureJson, numbers } from '../../../test/support/fixtures.ts';
import { evaluateDim, float32, int32, type Tensor, TesseraError, zeros } from '../../base/index.ts';
import { add, Graph, mul, tanh, type Value } from '../../graph/index.ts';
import { ParameterTrace } from '../../nn/index.ts';
import { loadModel, parameterSpecs, type WriterModel } from '../index.ts';
import { type Around, decoderFromConfig, decoders, encoderDecoders, isInBlocks } from './index.ts';

const folders = ['decoder/gqa', 'decoders/qwen3', 'decoders/phi3-partial-long', 'decoders/gemma2'];
const all = [...folders, 'decoders/opt-post-norm', 'decoders/mpt', 'decoders/gpt-neox', 'encoder-decoder/t5'];
const tokens = [
  [1, 5, 9, 12, 4, 7, 3],
  [1, 8, 3, 2, 11, 6, 20],
];
const idsOf = (from: number, to: number) =>
  int32(
    [2, to - from],
    tokens.flatMap((row) => row.slice(from, to)),
  );

type Put = (gate: Value, prompts: Value) => Around;

/** A pass through a decoder with something around its blocks that a gate lets in; over a state where `cached`. */
function build(folder: string, put: Put, cached: boolean) {
  const json = fixtureJson(`${folder}/config.json`) as Record<string, number>;
  const decoder = decoderFromConfig(json, 'config.json', { ...decoders, ...encoderDecoders });
  const graph = new Graph();
  const p = new ParameterTrace(graph).root();
  const { width } = decoder.width === json.word_embed_proj_dim ? { width: json.hidden_size as number } : decoder;
  const prompts = graph.input('prompts', 'float32', ['B', 3, width]);
  const around = put(graph.input('gate', 'float32', []), prompts);
  const sourceIds = decoder.source && decoder.embed(p, graph.input('sourceIds', 'int32', ['B', 'S']));
  const source = sourceIds && decoder.source?.read(p, sourceIds, graph.input('lengths', 'int32', ['B']));
  const shapes = Object.entries(decoder.state);
  const state = cached && {
    values: Object.fromEntries(shapes.map(([name, shape]) => [name, graph.input(`past ${name}`, 'float32', shape)])),
    lastPosition: graph.input('lastPosition', 'int32', ['B']),
    total: graph.input('total', 'int32', []),
  };
  const embeds = decoder.embed(p, graph.input('ids', 'int32', ['B', 'T']));
  const out = decoder.decode(p, embeds, { around, source, state: state || undefined });
  const sizes = new Map([
    ['B', 2],
    ['C', 8],
  ]);
  const empty = shapes.map(
    ([name, shape]) =>
      [
        name,
        zeros(
          'float32',
          shape.map((d) => evaluateDim(d, sizes)),
        ),
      ] as const,
  );
  const feeds = new Map<string, Tensor>([
    ...loadModel(fixture(folder)).store.tensors,
    [
      'prompts',
      float32(
        [2, 3, width],
        Array.from({ length: 6 * width }, (_, i) => Math.sin(i)),
      ),
    ],
    ['sourceIds', idsOf(0, 7)],
    ['lengths', int32([2], [7, 4])],
  ]);
  const outputs = { states: out.hidden, ...out.state };
  return { graph, outputs, feeds, empty };
}

/** Hidden states of all tokens. */
async function hidden(folder: string, put: Put, gate: number) {
  const { graph, outputs, feeds } = build(folder, put, false);
  feeds.set('ids', idsOf(0, 7)).set('gate', float32([], [gate]));
  return numbers((await evaluate(graph, outputs, feeds)).get('states'));
}

/** Hidden states of the last token, read after a state of the others. */
async function lastHidden(folder: string, put: Put, gate: number) {
  const { graph, outputs, feeds, empty } = build(folder, put, true);
  const step = (from: number, to: number, past: Iterable<readonly [string, Tensor | undefined]>) => {
    feeds.set('gate', float32([], [gate])).set('ids', idsOf(from, to));
    feeds.set('lastPosition', int32([2], [to - 1, to - 1])).set('total', int32([], [to]));
    for (const [name, tensor] of past) feeds.set(`past ${name}`, tensor as Tensor);
    return evaluate(graph, outputs, feeds);
  };
  const read = await step(0, 6, empty);
  const last = await step(
    6,
    7,
    empty.map(([name]) => [name, read.get(name)]),
  );
  return numbers(last.get('states'));
}

const nothing: Put = () => ({});
const before: Put = (gate) => ({ before: (_, x) => add(x, mul(tanh(gate), mul(x, x))) });
const beside: Put = (gate, prompts) => ({
  beside: (layer, { project, look }) => (layer === 0 ? undefined : mul(gate, look(project(prompts)))),
});

describe('what a system puts around blocks', () => {
  it.each(all)('%s: is not there behind a gate at zero, and is behind an open one', async (folder) => {
    const plain = await hidden(folder, nothing, 0);
    for (const put of [before, beside]) {
      expect(await hidden(folder, put, 0)).toEqual(plain);
      expect(await hidden(folder, put, 1)).not.toEqual(plain);
    }
  });
});

describe('a state', () => {
  it.each(all)('%s: holds what the tokens before left, with what stands around blocks', async (folder) => {
    for (const put of [before, beside]) {
      const [whole, last] = [await hidden(folder, put, 0.7), await lastHidden(folder, put, 0.7)];
      const width = last.length / 2;
      const expected = [whole.slice(6 * width, 7 * width), whole.slice(13 * width)].flat();
      expect(maxAbsolute(last, expected)).toBeLessThan(1e-4);
    }
  });
});

describe('a window', () => {
  const shape = {
    vocab_size: 40,
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 256,
  };
  /** The operators of a pass. */
  const graphOf = (change: object) => {
    const graph = new Graph();
    const decoder = decoderFromConfig({ ...shape, ...change });
    const p = new ParameterTrace(graph).root();
    decoder.decode(p, decoder.embed(p, graph.input('ids', 'int32', ['B', 'T'])));
    return graph.nodes.map(({ op }) => op.name);
  };

  it.each([
    ['Mistral, as wide as any text', { model_type: 'mistral', sliding_window: 4096 }, { model_type: 'mistral' }],
    ['Mistral, as wide as the longest text', { model_type: 'mistral', sliding_window: 256 }, { model_type: 'mistral' }],
    [
      'Qwen2, switched off',
      { model_type: 'qwen2', sliding_window: 16, use_sliding_window: false, max_window_layers: 0 },
      { model_type: 'qwen2' },
    ],
    [
      'Qwen2, below the layers that have it',
      { model_type: 'qwen2', sliding_window: 16, use_sliding_window: true, max_window_layers: 2 },
      { model_type: 'qwen2' },
    ],
    ['LLaMA, none', { model_type: 'llama', sliding_window: null }, { model_type: 'llama' }],
  ])('%s: changes no operator', (_, change, plain) => {
    expect(graphOf(change)).toEqual(graphOf({ ...plain, sliding_window: null }));
  });

  it('that a text can reach is another graph, and LLaMA has none', () => {
    const narrow = { sliding_window: 16 };
    expect(graphOf({ model_type: 'mistral', ...narrow })).not.toEqual(graphOf({ model_type: 'mistral' }));
    expect(() => graphOf({ model_type: 'llama', ...narrow })).toThrow(
      expect.objectContaining({ code: 'config/value', expected: expect.stringContaining('type mistral') }),
    );
    const types = { model_type: 'qwen3', head_dim: 8, use_sliding_window: true, layer_types: ['chunked_attention'] };
    expect(() => graphOf(types)).toThrow(/cannot be used/);
  });
});

describe('positions that are scaled', () => {
  const shape = { hidden_size: 32, num_attention_heads: 4, max_position_embeddings: 64, vocab_size: 40 };
  const long = { rope_type: 'longrope', short_factor: [1, 1, 1, 1], long_factor: [2, 2, 2, 2] };

  it('by LongRoPE end where its short factors do', () => {
    const rope_parameters = { ...long, original_max_position_embeddings: 16 };
    expect(decoderFromConfig({ ...shape, model_type: 'phi3', rope_parameters }).maxPositions).toBe(16);
  });

  it.each([
    ['with the length of the text', { rope_type: 'dynamic', factor: 2 }, 'keys cannot be kept'],
    ['as in earlier files', { type: 'dynamic', factor: 2 }, 'keys cannot be kept'],
    ['by YaRN', { rope_type: 'yarn', factor: 2 }, 'yarn is not implemented'],
    ['by a factor for each pair, of another number', { ...long, short_factor: [1] }, 'a list of 4 positive numbers'],
  ])('%s are refused in words', (_, rope_scaling, words) => {
    const make = () => decoderFromConfig({ ...shape, model_type: 'phi3', rope_scaling });
    expect(make).toThrow(TesseraError);
    expect(make).toThrow(expect.objectContaining({ expected: expect.stringContaining(words) }));
  });
});

describe('the linear layers of a language part', () => {
  it.each([
    ['decoder/gqa', 'down_proj gate_proj k_proj o_proj q_proj up_proj v_proj', true],
    ['decoders/phi3', 'down_proj gate_up_proj o_proj qkv_proj', true],
    ['decoders/opt-post-norm', 'fc1 fc2 k_proj out_proj q_proj v_proj', false],
    ['decoders/mpt', 'Wqkv down_proj out_proj up_proj', false],
    ['decoders/gpt-neox', 'dense dense_4h_to_h dense_h_to_4h query_key_value', true],
    ['encoder-decoder/t5-v1.1', 'k o q v wi_0 wi_1 wo', true],
    ['llava/v1.5', 'down_proj gate_proj k_proj o_proj q_proj up_proj v_proj', true],
  ])('%s: are those of its blocks, and its head', (folder, names, head) => {
    const { model, store } = loadModel(fixture(folder));
    const { linears } = (model as WriterModel).writer;
    const linear = [...store.specs.values()].filter((spec) => spec.linear).map(({ path }) => path);
    const inBlocks = linear.filter((path) => isInBlocks(linears, path)).map((path) => path.replace(/\.weight$/, ''));
    expect([...new Set(inBlocks.map((path) => path.split('.').at(-1)))].sort().join(' ')).toBe(names);
    expect(linear.includes(`${linears.head}.weight`)).toBe(head);
    const lora = { r: 2, alpha: 4, targets: (path: string) => isInBlocks(linears, path) };
    const adapted = [...parameterSpecs(model, lora).keys()].filter((path) => path.endsWith('.lora_A.weight'));
    expect(adapted.map((path) => path.replace('.lora_A.weight', '')).sort()).toEqual(inBlocks.sort());
  });
});

it('a decoder of a type that nobody has names the nearest', () => {
  expect(() => decoderFromConfig({ model_type: 'qwen33' })).toThrow(
    expect.objectContaining({ code: 'model/unknown-decoder', remedy: 'did you mean qwen3?' }),
  );
});
