import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Fault, TesseraError } from '../../base/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import { writeCheckpoint } from './checkpoint-write.ts';
import type { Layout } from './layouts.ts';
import {
  clipLayouts,
  clipVisionLayouts,
  halvesOfPairs,
  llamaLayouts,
  llamaOriginalLayout,
  llavaLayouts,
  mountLayouts,
} from './layouts.ts';
import { loadWeights, matchNames, renameForFile } from './name-map.ts';

const fixture = new URL('../../../test/fixtures/weights/names.json', import.meta.url);
const written = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, Record<string, number[]>>;

type Shapes = Map<string, { shape: number[] }>;
const shapes = (name: string): Shapes =>
  new Map(Object.entries(written[name] ?? {}).map(([key, shape]) => [key, { shape }]));
const renamed = (from: Shapes, rename: (name: string) => string): Shapes =>
  new Map(Array.from(from, ([name, value]) => [rename(name), value]));
const only = (from: Shapes, prefix: string): Shapes => new Map([...from].filter(([name]) => name.startsWith(prefix)));

const llava = shapes('llava-hub');
const embedding = 'language_model.model.embed_tokens.weight';
const head = 'language_model.lm_head.weight';

function faults(parameters: Shapes, file: Shapes, layouts: readonly Layout[] = llavaLayouts): readonly Fault[] {
  try {
    matchNames(parameters, file, layouts, { path: 'folder' });
  } catch (error) {
    const { others } = error as TesseraError;
    return [(error as TesseraError).toJSON(), ...others];
  }
  return [];
}

describe('layouts', () => {
  const original = (name: string): string =>
    name
      .replace(/^language_model\.model\./, 'model.')
      .replace(/^language_model\.lm_head\./, 'lm_head.')
      .replace(/^multi_modal_projector\.linear_1\./, 'model.mm_projector.0.')
      .replace(/^multi_modal_projector\.linear_2\./, 'model.mm_projector.2.')
      .replace(/^vision_tower\./, 'model.vision_tower.vision_tower.vision_model.');
  const vision4 = (name: string): string => name.replace(/(vision_tower\.)(?!vision)/, '$1vision_model.');

  test.each<[string, Shapes]>([
    ['llava-hub', llava],
    ['llava-hub-4', renamed(llava, vision4)],
    ['llava-runtime', shapes('llava-runtime')],
    ['llava-runtime-4', renamed(shapes('llava-runtime'), vision4)],
    ['llava-original', renamed(llava, original)],
    ['llava-original-5', renamed(llava, (name) => original(name).replace('vision_model.', ''))],
  ])('%s is found, maps every name, and a save gives the same names back', (expected, file) => {
    const match = matchNames(llava, file, llavaLayouts);
    expect(match.layout.name).toBe(expected);
    expect(new Set(match.names.keys())).toEqual(new Set(llava.keys()));
    expect(new Set(match.names.values())).toEqual(new Set(file.keys()));
    expect(new Set(renameForFile(llava, match.layout).keys())).toEqual(new Set(file.keys()));
    for (const [name, stored] of match.names) expect(file.get(stored)?.shape).toEqual(llava.get(name)?.shape);
  });

  test('LLaVA v1 has one linear layer', () => {
    const one = new Map([...llava].filter(([name]) => !name.includes('linear_2')));
    const file = renamed(one, (name) => original(name).replace('mm_projector.0.', 'mm_projector.'));
    const match = matchNames(one, file, llavaLayouts);
    expect(match.layout.name).toBe('llava-v1-original');
    expect(match.names.get('multi_modal_projector.linear_1.weight')).toBe('model.mm_projector.weight');
    expect([...renameForFile(one, match.layout).keys()].sort()).toEqual([...file.keys()].sort());
    expect(() => renameForFile(llava, match.layout)).toThrow(expect.objectContaining({ code: 'weights/no-rule' }));
  });

  test('llama, clip, and both as parts of a llava', () => {
    expect(matchNames(shapes('llama'), shapes('llama'), llamaLayouts).layout.name).toBe('llama');
    expect(matchNames(shapes('clip'), shapes('clip'), clipLayouts).layout.name).toBe('clip');
    const text = matchNames(
      only(llava, 'language_model.'),
      shapes('llama'),
      mountLayouts(llamaLayouts, 'language_model.'),
    );
    expect(text.names.get(embedding)).toBe('model.embed_tokens.weight');
    const towers = mountLayouts(clipVisionLayouts, 'vision_tower.');
    const tower = only(llava, 'vision_tower.');
    expect(matchNames(tower, shapes('clip-vision'), towers).layout.name).toBe('clip-vision');
    const whole = matchNames(tower, shapes('clip'), towers);
    expect(whole.names.get('vision_tower.pre_layrnorm.bias')).toBe('vision_model.pre_layrnorm.bias');
    expect(whole.skipped).toContain('logit_scale');
    expect(whole.skipped.length + whole.names.size).toBe(shapes('clip').size);
  });
});

describe("Meta's names of LLaMA", () => {
  const meta = (name: string): string =>
    name
      .replace(/^model\./, '')
      .replace('embed_tokens', 'tok_embeddings')
      .replace('lm_head', 'output')
      .replace(/self_attn\.(.)_proj/, 'attention.w$1')
      .replace('input_layernorm', 'attention_norm')
      .replace('post_attention_layernorm', 'ffn_norm')
      .replace(/mlp\.(\w+)_proj/, (_, part: string) => `feed_forward.${{ gate: 'w1', down: 'w2', up: 'w3' }[part]}`);

  test('are found, every one, and only the matrices of queries and keys have rows in another order', () => {
    const file = renamed(shapes('llama'), meta);
    const { layout, names, skipped } = matchNames(shapes('llama'), new Map(file).set('rope.freqs', { shape: [2] }), [
      ...llamaLayouts,
      llamaOriginalLayout(2, 4),
    ]);
    expect(layout.name).toBe('llama-original');
    expect(skipped).toEqual(['rope.freqs']);
    for (const name of shapes('llama').keys()) expect(names.get(name)).toBe(meta(name));
    const turned = [...names.keys()].filter((name) => layout.interleaved?.names.test(name));
    expect(turned.filter((name) => !/\.[qk]_proj\.weight$/.test(name))).toEqual([]);
    expect(turned.length).toBeGreaterThan(0);
  });

  test('neighbours that turn together become halves, head by head', () => {
    const rows = Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    halvesOfPairs(rows, 8, 4);
    expect([...rows]).toEqual([0, 0, 2, 2, 1, 1, 3, 3, 4, 4, 6, 6, 5, 5, 7, 7]);
  });
});

describe('what does not fit', () => {
  test('missing and unused names are all listed, in one error, in the names of the file', () => {
    const file = new Map(shapes('llava-runtime'));
    file.delete('model.language_model.norm.weight');
    file.delete('lm_head.weight');
    file.set('model.extra.weight', { shape: [1] });
    expect(faults(llava, file)).toMatchObject([
      { code: 'weights/missing', path: 'folder', expected: 'lm_head.weight, model.language_model.norm.weight' },
      { code: 'weights/unused', path: 'folder', got: 'model.extra.weight' },
    ]);
  });

  test('only computed buffers are passed over', () => {
    const file = new Map(llava);
    for (const name of [
      'language_model.model.layers.0.self_attn.rotary_emb.inv_freq',
      'vision_tower.embeddings.position_ids',
    ]) {
      file.set(name, { shape: [2] });
    }
    expect(matchNames(llava, file, llavaLayouts).skipped).toHaveLength(2);
    expect(faults(llava, new Map(llava).set('my_inv_freq', { shape: [2] }))).toMatchObject([
      { code: 'weights/unused' },
    ]);
  });

  test('shapes, and tables with another number of rows', () => {
    const file = new Map(llava)
      .set('multi_modal_projector.linear_1.weight', { shape: [4, 5] })
      .set(embedding, { shape: [64, 4] });
    expect(faults(llava, file)).toMatchObject([
      { code: 'weights/embedding-rows', expected: '[8, 4]', got: '[64, 4]', remedy: expect.stringContaining('64') },
      {
        code: 'weights/shape',
        path: 'folder: multi_modal_projector.linear_1.weight',
        expected: '[4, 4]',
        got: '[4, 5]',
      },
    ]);
  });

  test('what the model does not read is carried when it is asked for', () => {
    const parameters = new Map([...llava].filter(([name]) => !name.includes('post_layernorm')));
    expect(faults(parameters, llava)).toMatchObject([{ code: 'weights/unused' }]);
    const match = matchNames(
      parameters,
      renamed(llava, (n) => n),
      llavaLayouts,
      { carry: ['vision_tower.post_layernorm.*'] },
    );
    expect([...match.carried.keys()].sort()).toEqual([
      'vision_tower.post_layernorm.bias',
      'vision_tower.post_layernorm.weight',
    ]);
  });
});

describe('loading', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-names-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const parameters: Shapes = new Map([[embedding, { shape: [2, 1] }]]);
  const tied = new Map([[head, embedding]]);
  const save = (stem: string, values: Record<string, number[]>) => {
    const tensors = Object.entries(values).map(([n, v]) => [n, { shape: [2, 1], data: Float32Array.from(v) }] as const);
    writeCheckpoint(folder, new Map(tensors), { stem });
    return openCheckpoint(folder, stem);
  };

  test('reads into the arrays given', () => {
    const checkpoint = save('plain', { 'model.language_model.embed_tokens.weight': [1, 2] });
    const match = matchNames(parameters, checkpoint.tensors, llavaLayouts);
    const target = new Float32Array(2);
    expect(loadWeights(checkpoint, match, new Map([[embedding, target]])).get(embedding)?.data).toBe(target);
    expect([...target]).toEqual([1, 2]);
  });

  test('a tied copy may be there or stand in, but may not differ', () => {
    const equal = save('equal', { [embedding]: [1, 2], [head]: [1, 2] });
    expect(loadWeights(equal, matchNames(parameters, equal.tensors, llavaLayouts, { tied })).size).toBe(1);
    const alone = save('alone', { [head]: [3, 4] });
    const loaded = loadWeights(alone, matchNames(parameters, alone.tensors, llavaLayouts, { tied }));
    expect([...(loaded.get(embedding)?.data ?? [])]).toEqual([3, 4]);
    const differ = save('differ', { [embedding]: [1, 2], [head]: [1, 3] });
    const match = matchNames(parameters, differ.tensors, llavaLayouts, { tied });
    expect(() => loadWeights(differ, match)).toThrow(expect.objectContaining({ code: 'weights/tied-differ' }));
    expect(() => matchNames(parameters, differ.tensors, llavaLayouts)).toThrow(
      expect.objectContaining({ code: 'weights/unused' }),
    );
  });
});
