import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codesOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { JsonObject } from '../../files/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import { writeCheckpoint } from './checkpoint-write.ts';
import { llavaLayouts } from './layouts.ts';
import { readAdapter, writeAdapter } from './peft.ts';
import {
  type AdapterConfig,
  adapterConfigJson,
  rankOfModule,
  readAdapterConfig,
  targetMatcher,
} from './peft-config.ts';

const fixtures = new URL('../../../test/fixtures/weights/', import.meta.url).pathname;
const source = join(fixtures, 'adapter');
const names = JSON.parse(readFileSync(join(fixtures, 'names.json'), 'utf8')) as Record<
  string,
  Record<string, number[]>
>;
const base = new Map(Object.entries(names['llava-hub'] ?? {}).map(([name, shape]) => [name, { shape }]));

const { fresh } = scratchFolder();

const q = 'language_model.model.layers.0.self_attn.q_proj';

describe('a folder that PEFT wrote', () => {
  const adapter = readAdapter(source, base, llavaLayouts);

  test('is read in the names of tessera', () => {
    expect(adapter.layout.name).toBe('llava-runtime');
    expect(adapter.config).toEqual({
      r: 2,
      alpha: 4,
      dropout: 0.05,
      targets: expect.arrayContaining(['q_proj', 'down_proj']),
      modulesToSave: ['multi_modal_projector'],
      taskType: 'CAUSAL_LM',
      base: null,
    });
    expect([...adapter.tensors.keys()].sort()).toEqual(
      [
        'language_model.model.layers.0.mlp.down_proj.lora_A.weight',
        'language_model.model.layers.0.mlp.down_proj.lora_B.weight',
        `${q}.lora_A.weight`,
        `${q}.lora_B.weight`,
        ...['linear_1', 'linear_2'].flatMap((l) => ['bias', 'weight'].map((p) => `multi_modal_projector.${l}.${p}`)),
        'vision_tower.encoder.layers.0.self_attn.q_proj.lora_A.weight',
        'vision_tower.encoder.layers.0.self_attn.q_proj.lora_B.weight',
      ].sort(),
    );
    expect(adapter.tensors.get(`${q}.lora_A.weight`)?.shape).toEqual([2, 4]);
  });

  test('is written back with the same names and numbers', () => {
    const folder = fresh();
    writeAdapter(folder, adapter, base, adapter.layout);
    const [before, after] = [source, folder].map((f) => openCheckpoint(f, 'adapter_model'));
    expect([...(after?.tensors.keys() ?? [])].sort()).toEqual([...(before?.tensors.keys() ?? [])].sort());
    for (const name of before?.tensors.keys() ?? []) expect(after?.read(name)).toEqual(before?.read(name));
    expect(readAdapter(folder, base, llavaLayouts)).toEqual(adapter);
  });

  test('lists exact modules when no targets are given, so that no namesake is adapted', () => {
    const folder = fresh();
    const tensors = new Map([...adapter.tensors].filter(([name]) => name.startsWith(q)));
    const config = { ...adapter.config, targets: [], modulesToSave: [] };
    writeAdapter(folder, { config, tensors, ranks: new Map() }, base, adapter.layout, { dtype: 'bfloat16' });
    const again = readAdapter(folder, base, llavaLayouts);
    expect(again.config.targets).toEqual(['model.language_model.layers.0.self_attn.q_proj']);
    expect([...again.tensors.keys()]).toEqual([`${q}.lora_A.weight`, `${q}.lora_B.weight`]);
  });

  test.each<[string, (tensors: Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>) => void]>([
    ['peft/half', (t) => t.delete(`${q}.lora_B.weight`)],
    ['peft/saved', (t) => t.delete('multi_modal_projector.linear_2.bias')],
    ['peft/shape', (t) => t.set(`${q}.lora_A.weight`, { shape: [1, 4], data: new Float32Array(4) })],
    ['peft/shape', (t) => t.set('multi_modal_projector.linear_1.bias', { shape: [5], data: new Float32Array(5) })],
    ['peft/target', (t) => t.set('language_model.model.norm.weight', { shape: [4], data: new Float32Array(4) })],
  ])('%s', (code, edit) => {
    const tensors = new Map(adapter.tensors);
    edit(tensors);
    expect(codesOf(() => writeAdapter(fresh(), { ...adapter, tensors }, base, adapter.layout))).toEqual([code]);
  });

  test('for another model, or with foreign keys, is refused', () => {
    const other = new Map([...base].filter(([name]) => !name.includes('vision_tower')));
    const codes = codesOf(() => readAdapter(source, other, llavaLayouts));
    expect(new Set(codes)).toEqual(new Set(['peft/unknown-module']));
    for (const key of ['x.weight', 'base_model.model.x.lora_embedding_A', 'base_model.model.x.lora_A.default.weight']) {
      const folder = fresh();
      cpSync(join(source, 'adapter_config.json'), join(folder, 'adapter_config.json'));
      const tensors = new Map([[key, { shape: [1], data: Float32Array.of(1) }]]);
      writeCheckpoint(folder, tensors, { stem: 'adapter_model' });
      expect(codesOf(() => readAdapter(folder, base, llavaLayouts))).toEqual(['peft/key']);
    }
  });
});

describe('settings', () => {
  const plain: JsonObject = { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: ['q_proj'] };
  const read = (more: JsonObject) => readAdapterConfig({ ...plain, ...more }, 'x');

  test('defaults are accepted, and what tessera writes reads back', () => {
    const unset = { use_dora: false, rank_pattern: {}, megatron_core: 'megatron.core', new_thing: null };
    expect(read(unset)).toEqual(read({}));
    const config = read({ target_modules: '.*q_proj', modules_to_save: ['lm_head'] });
    expect(readAdapterConfig(adapterConfigJson(config), 'x')).toEqual(config);
  });

  test.each<JsonObject>([
    { fan_in_fan_out: true },
    { init_lora_weights: 'pissa' },
    { loftq_config: { loftq_bits: 4 } },
    { trainable_token_indices: [1] },
    { new_thing: 'on' },
  ])('%j is refused', (more) => {
    expect(codesOf(() => read(more))).toEqual(['peft/unsupported']);
  });

  test.each<[JsonObject, Partial<AdapterConfig>]>([
    [{ use_dora: true }, { dora: true }],
    [{ use_rslora: true }, { rslora: true }],
    [{ bias: 'all' }, { bias: 'all' }],
    [{ rank_pattern: { q_proj: 8 } }, { rankPattern: { q_proj: 8 } }],
    [{ alpha_pattern: { '^layers\\.\\d\\.q_proj': 0.5 } }, { alphaPattern: { '^layers\\.\\d\\.q_proj': 0.5 } }],
    [{ layers_to_transform: [1], layers_pattern: 'layers', exclude_modules: ['k_proj'] }, {}],
  ])('%j is carried out', (more, said) => {
    expect(read(more)).toEqual({ ...read({}), ...said });
  });

  test('the first pattern that fits the end of a name gives rank and alpha', () => {
    const config = read({ rank_pattern: { 'x.q_proj': 3, q_proj: 5 }, alpha_pattern: { 'layers\\.\\d+\\.x': 7 } });
    expect(rankOfModule(config, 'model.x.q_proj')).toEqual({ r: 3, alpha: 4 });
    expect(rankOfModule(config, 'model.y.q_proj')).toEqual({ r: 5, alpha: 4 });
    expect(rankOfModule(config, 'model.yq_proj')).toEqual({ r: 2, alpha: 4 });
    expect(rankOfModule(config, 'layers.12.x')).toEqual({ r: 2, alpha: 7 });
  });

  test.each(['(a+)+', '(?:q|k)_proj', '.*.*.*.*q', '('])('the pattern %s is refused', (pattern) => {
    expect(codesOf(() => read({ rank_pattern: { [pattern]: 2 } }))).toEqual(['peft/value']);
  });

  test('malformed values, all at once', () => {
    const bad = {
      peft_type: 'IA3',
      r: 0,
      lora_alpha: 'x',
      lora_dropout: 1,
      target_modules: null,
      modules_to_save: 'a',
    };
    expect(codesOf(() => read(bad))).toEqual(['peft/type', ...Array(5).fill('peft/value')]);
  });

  test('targets are endings after a dot, or a pattern of the whole name', () => {
    const list = targetMatcher(['q_proj', 'model.head']);
    expect(['a.q_proj', 'q_proj', 'a.xq_proj', 'model.head', 'a.q_proj.b'].map(list)).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    const pattern = targetMatcher('.*text.*\\.(q|v)_proj');
    expect(['a.text.q_proj', 'a.vision.q_proj', 'a.text.q_proj.b'].map(pattern)).toEqual([true, false, false]);
    expect(codesOf(() => targetMatcher('('))).toEqual(['peft/pattern']);
  });
});
