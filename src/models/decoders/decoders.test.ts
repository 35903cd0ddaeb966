import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../test/support/evaluate.ts';
import { fixture, fixtureJson, numbers } from '../../../test/support/fixtures.ts';
import { float32, int32, type Tensor, TesseraError } from '../../base/index.ts';
import { add, Graph, mul, tanh, type Value } from '../../graph/index.ts';
import { attention, ParameterTrace } from '../../nn/index.ts';
import type { ConfigJson } from '../config.ts';
import { loadModel, parameterSpecs, type WriterModel } from '../index.ts';
import { type Around, decoderFromConfig, isInBlocks } from './index.ts';

const folders = [
  'decoder/gqa',
  ...['qwen3', 'phi3-partial-long', 'gemma2', 'opt-post-norm'].map((n) => `decoders/${n}`),
];
const ids = int32([2, 6], [1, 5, 9, 12, 4, 7, 1, 8, 3, 2, 11, 6]);

/** Hidden states of a decoder with something around its blocks that a gate lets in. */
async function hidden(folder: string, put: (gate: Value, prompts: Value, heads: number) => Around, gate: number) {
  const json = fixtureJson(`${folder}/config.json`) as ConfigJson;
  const decoder = decoderFromConfig(json);
  const graph = new Graph();
  const p = new ParameterTrace(graph).root();
  const width = json.hidden_size as number;
  const prompts = graph.input('prompts', 'float32', ['B', 3, width]);
  const around = put(graph.input('gate', 'float32', []), prompts, json.num_attention_heads as number);
  const embeds = decoder.embed(p, graph.input('ids', 'int32', ['B', 'T']));
  const states = decoder.decode(p, embeds, { around }).hidden;
  const feeds = new Map<string, Tensor>([
    ...loadModel(fixture(folder)).store.tensors,
    ['ids', ids],
    ['gate', float32([], [gate])],
    [
      'prompts',
      float32(
        [2, 3, width],
        Array.from({ length: 6 * width }, (_, i) => Math.sin(i)),
      ),
    ],
  ]);
  return numbers((await evaluate(graph, { states }, feeds)).get('states'));
}

const nothing = () => ({});
const before = (gate: Value): Around => ({ before: (_, x) => add(x, mul(tanh(gate), mul(x, x))) });
const beside = (gate: Value, prompts: Value, heads: number): Around => ({
  beside(layer, query, project) {
    if (layer === 0) return undefined;
    const { key, value } = project(prompts);
    const size = (query.shape[2] as number) / heads;
    return mul(gate, attention(query, key, value, { heads, kvHeads: (key.shape[2] as number) / size }));
  },
});

describe('what a system puts around blocks', () => {
  it.each(folders)('%s: is not there behind a gate at zero, and is behind an open one', async (folder) => {
    const plain = await hidden(folder, nothing, 0);
    for (const put of [before, beside]) {
      expect(await hidden(folder, put, 0)).toEqual(plain);
      expect(await hidden(folder, put, 1)).not.toEqual(plain);
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
