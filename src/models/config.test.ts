import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtureJson } from '../../test/support/fixtures.ts';
import { formatFault, TesseraError } from '../base/index.ts';
import { type ConfigJson, ConfigReader } from './config.ts';
import { fromOriginalLlava } from './fusion/llava-original.ts';
import { loadModel, modelFromConfig, parameterSpecs } from './index.ts';
import { clipVisionJson, llamaJson, llavaJson } from './sizes.ts';
import { writeJsonObject, writeSafetensors } from './weights/index.ts';

function faultOf(build: () => unknown): string {
  try {
    build();
  } catch (error) {
    if (error instanceof TesseraError) return formatFault(error);
    throw error;
  }
  return 'no fault';
}

describe('ConfigReader', () => {
  const c = new ConfigReader({ width: 8, rate: 0.5, on: true, act: 'silu', part: { a: 'x' }, none: null }, 'a.json');

  it('reads what is there and falls back on what is not', () => {
    expect([c.size('width'), c.number('rate'), c.flag('on', false)]).toEqual([8, 0.5, true]);
    expect([c.size('depth', 4), c.number('none', 2), c.flag('off', false)]).toEqual([4, 2, false]);
    expect(c.choice('act', { silu: 1, gelu: 2 })).toBe(1);
  });

  it('names file and key, what it wants and what it got', () => {
    expect(faultOf(() => c.size('rate'))).toMatchInlineSnapshot(`
      "the configuration has a value that cannot be used [config/value]
        path:     a.json: rate
        expected: a whole number from 1 to 16777216
        got:      0.5"
    `);
    expect(faultOf(() => c.size('depth'))).toMatchInlineSnapshot(`
      "the configuration lacks a value [config/value]
        path:     a.json: depth
        expected: a number
        got:      nothing"
    `);
    expect(faultOf(() => c.choice('act', { silu_2: 1, relu: 2 }))).toMatchInlineSnapshot(`
      "the configuration has a value that cannot be used [config/value]
        path:     a.json: act
        expected: one of silu_2, relu (nearest: silu_2)
        got:      "silu""
    `);
    expect(faultOf(() => c.part('part').number('a'))).toMatchInlineSnapshot(`
      "the configuration has a value that cannot be used [config/value]
        path:     a.json: part: a
        expected: a number
        got:      "x""
    `);
    expect(faultOf(() => c.part('act'))).toContain('an object');
    expect(faultOf(() => c.require('on', [false]))).toMatchInlineSnapshot(`
      "the configuration has a value that cannot be used [config/value]
        path:     a.json: on
        expected: false (nothing else is implemented)
        got:      true"
    `);
  });
});

describe('modelFromConfig', () => {
  const llama = fixtureJson('decoder/gqa/config.json') as ConfigJson;
  const llava = fixtureJson('llava/v1.5/config.json') as ConfigJson;

  it('names the nearest type that it knows', () => {
    expect(faultOf(() => modelFromConfig({ ...llama, model_type: 'lama' }))).toMatchInlineSnapshot(`
      "the model type is not one that tessera knows [model/unknown-type]
        path:     config.json: model_type
        expected: llama, mistral, qwen2, qwen3, phi3, gemma2, opt, mpt, gpt_neox, t5, llava, llama_adapter, flamingo, blip-2, chameleon, clip, clip_vision_model
        got:      lama
        remedy:   did you mean llama?"
    `);
    expect(faultOf(() => modelFromConfig({}))).toContain('model_type');
    expect(faultOf(() => modelFromConfig({ model_type: 'constructor' }))).toContain('model/unknown-type');
  });

  it.each([
    ['positions scaled by the length of a text', { rope_scaling: { type: 'dynamic', factor: 2 } }, 'rope_scaling'],
    ['newer scaled positions', { rope_parameters: { rope_type: 'yarn', rope_theta: 1e4 } }, 'rope_type'],
    ['an attention window', { sliding_window: 32 }, 'sliding_window'],
    ['key heads that do not share the query heads', { num_key_value_heads: 3 }, 'a divisor of 4'],
    ['an activation it does not have', { hidden_act: 'mish' }, 'hidden_act'],
  ])('refuses %s rather than ignore it', (_, change, key) => {
    expect(faultOf(() => modelFromConfig({ ...llama, ...change }))).toContain(key);
  });

  it('names the part of a part', () => {
    const broken = { ...llava, vision_config: { ...(llava.vision_config as ConfigJson), hidden_size: '32' } };
    expect(faultOf(() => modelFromConfig(broken))).toContain('vision_config: hidden_size');
    expect(faultOf(() => modelFromConfig({ ...llava, vision_feature_select_strategy: 'cls' }))).toContain(
      'one of default, full',
    );
  });

  it('refuses a first release that marks its images otherwise', () => {
    const original = fixtureJson('llava/v1/config.json') as ConfigJson;
    const tower = fixtureJson('llava/v1-clip/config.json') as ConfigJson;
    expect(modelFromConfig(fromOriginalLlava(original, tower)).architecture).toBe('llava');
    for (const key of ['mm_use_im_start_end', 'mm_use_im_patch_token']) {
      expect(faultOf(() => fromOriginalLlava({ ...original, [key]: true }, tower))).toContain(key);
    }
    const projector = { ...original, mm_projector_type: 'resampler' };
    expect(faultOf(() => fromOriginalLlava(projector, tower))).toContain('one of linear, mlp2x_gelu');
  });

  it('leaves out the border that is no whole patch', () => {
    const vision = { ...(llava.vision_config as ConfigJson), image_size: 30 };
    const model = modelFromConfig({ ...llava, vision_config: vision });
    expect(model.processor().inputs.imageRows?.shape).toEqual(['16*N']);
    expect(parameterSpecs(model).get('vision_tower.embeddings.position_embedding.weight')?.shape).toEqual([17, 32]);
  });

  it('takes null for what is switched off', () => {
    expect(modelFromConfig({ ...llama, rope_scaling: null, sliding_window: null }).writer).toBeDefined();
  });

  it('says what an image takes', () => {
    const model = modelFromConfig(llava);
    expect(model.image).toEqual({ tokenId: 70, height: 28, width: 28 });
    expect(model.processor().inputs.imageRows?.shape).toEqual(['16*N']);
    const full = modelFromConfig({ ...llava, vision_feature_select_strategy: 'full' });
    expect(full.processor().inputs.imageRows?.shape).toEqual(['17*N']);
  });
});

describe('sizes that nobody has', () => {
  const llama = { ...llamaJson('tiny', { vocabSize: 300 }) };
  const llava = llavaJson({ vision: clipVisionJson('tiny'), language: llama, projector: 'mlp', imageTokenId: 7 });
  const vision = (part: object) => ({ ...llava, vision_config: { ...(llava.vision_config as object), ...part } });

  it.each([
    ['layers', { ...llama, num_hidden_layers: 1e9 }],
    ['width', { ...llama, hidden_size: 2 ** 40 }],
    ['positions', { ...llama, max_position_embeddings: 2 ** 24 }],
    ['an odd head', { ...llama, head_dim: 33 }],
    ['a negative epsilon', { ...llama, rms_norm_eps: -1 }],
    ['a rotary base of zero', { ...llama, rope_theta: 0 }],
    ['a fraction', { ...llama, vocab_size: 300.5 }],
    ['no number', { ...llama, intermediate_size: Number.NaN }],
    ['an image token outside of the vocabulary', { ...llava, image_token_index: 300 }],
    ['no image token', { ...llava, image_token_index: undefined }],
    ['a layer that the tower lacks', { ...llava, vision_feature_layer: 7 }],
    ['a layer before the first', { ...llava, vision_feature_layer: -7 }],
    ['a huge image', vision({ image_size: 1e6 })],
    ['patches beyond counting', vision({ image_size: 8192, patch_size: 1 })],
    ['patches larger than the image', vision({ patch_size: 65 })],
  ])('refuses %s before anything is laid out', (_, json) => {
    expect(() => modelFromConfig(json)).toThrow(expect.objectContaining({ code: 'config/value' }));
  });

  it('makes room for no parameter that the files do not hold', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-huge-'));
    try {
      writeJsonObject(join(folder, 'config.json'), {
        ...llama,
        hidden_size: 2 ** 23,
        num_attention_heads: 2 ** 16,
        num_key_value_heads: 1,
      });
      writeSafetensors(join(folder, 'model.safetensors'), new Map([['a', { shape: [1], data: Float32Array.of(1) }]]));
      expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'weights/missing' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
