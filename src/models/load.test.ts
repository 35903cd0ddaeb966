import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture, fixtureJson } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { numbersOf } from '../../test/support/stages.ts';
import { elementCount, fromBfloat16Bits, type Tensor, toBfloat16Bits } from '../base/index.ts';
import type { ConfigJson } from './config.ts';
import {
  copyPart,
  createModel,
  loadModel,
  openCheckpoint,
  parameterSpecs,
  readJsonObject,
  saveModel,
  writeCheckpoint,
  writeJsonObject,
} from './index.ts';

const { fresh } = scratchFolder();

const folders = [
  'decoder/gqa',
  'decoder/tied',
  'decoder/qwen2',
  'clip/contrastive',
  'clip/vision-gelu',
  'llava/v1.5',
  'llava/v1.5-gqa',
  'llava/v1.5-multi',
  'llava/v1.5-nonsquare',
  'llava/v1',
  'llava/v1.5-gemma2',
  'llava/v1.5-opt',
];

describe('a model folder', () => {
  it.each(folders)('%s comes back from a save, under the same names', (name) => {
    const loaded = loadModel(fixture(name));
    const folder = fresh();
    saveModel(folder, loaded);
    const again = loadModel(folder);
    expect(numbersOf(again.store)).toEqual(numbersOf(loaded.store));
    expect([...again.store.tensors.keys()]).toEqual([...loaded.store.tensors.keys()]);
    const names = (at: string) => [...openCheckpoint(at).tensors.keys()].sort();
    // The first release has names and a configuration of its own, which other tools do not read.
    expect(again.layout.name).toBe(name === 'llava/v1' ? 'llava-hub' : loaded.layout.name);
    if (name !== 'llava/v1') expect(names(folder)).toEqual(names(fixture(name)));
  });

  it('holds what the flat buffer holds', () => {
    const { store } = loadModel(fixture('llava/v1.5'));
    const numbers = numbersOf(store);
    const total = [...store.specs.values()].reduce((n, spec) => n + elementCount(spec.shape), 0);
    expect(numbers.length).toBe(total);
    expect(numbers.some((x) => Number.isNaN(x))).toBe(false);
  });

  it('is saved in half precision when asked, and says so once', () => {
    const loaded = loadModel(fixture('llava/v1.5-multi'));
    const folder = fresh();
    saveModel(folder, loaded, 'bfloat16');
    const again = loadModel(folder);
    expect([...numbersOf(again.store)]).toEqual(
      [...numbersOf(loaded.store)].map((x) => fromBfloat16Bits(toBfloat16Bits(x))),
    );
    const text = JSON.stringify(again.model.json);
    expect(text).toContain('"dtype":"bfloat16"');
    expect(text.match(/dtype/g)).toHaveLength(1);
  });

  it('with one projector layer holds two for transformers, and comes back with one', () => {
    const loaded = loadModel(fixture('llava/v1'));
    const folder = fresh();
    saveModel(folder, loaded);
    const config = readJsonObject(join(folder, 'config.json'));
    expect(config.projector_hidden_act).toBe('linear');
    expect(config).not.toHaveProperty('projector_type');
    const stored = openCheckpoint(folder);
    const second = 'multi_modal_projector.linear_2';
    expect(stored.tensors.has(`${second}.weight`) && stored.tensors.has(`${second}.bias`)).toBe(true);
    expect([...loadModel(folder).store.specs.keys()]).toEqual([...loaded.store.specs.keys()]);
    expect(loaded.store.specs.has(`${second}.weight`)).toBe(false);
  });

  it('with two projector layers and nothing between them keeps both unless the second is the identity', () => {
    const folder = fresh();
    saveModel(folder, loadModel(fixture('llava/v1')));
    const { types: _, ...stored } = openCheckpoint(folder);
    const tensors = new Map([...stored.tensors].map(([name, { shape }]) => [name, { shape, data: stored.read(name) }]));
    const bias = tensors.get('multi_modal_projector.linear_2.bias')?.data as Float32Array;
    bias[0] = 0.5;
    const other = fresh();
    writeCheckpoint(other, tensors);
    writeJsonObject(join(other, 'config.json'), readJsonObject(join(folder, 'config.json')));
    expect(loadModel(other).store.tensors.get('multi_modal_projector.linear_2.bias')?.data[0]).toBe(0.5);
  });

  it('of the first release keeps its projector, image place and tower', () => {
    const { model, store } = loadModel(fixture('llava/v1'));
    expect(model.processor().inputs.imageRows?.shape).toEqual(['16*N']);
    expect([...store.specs.keys()].filter((path) => path.startsWith('multi_modal_projector'))).toEqual([
      'multi_modal_projector.linear_1.weight',
      'multi_modal_projector.linear_1.bias',
    ]);
    const tower = openCheckpoint(fixture('llava/v1-clip'));
    const name = 'vision_model.embeddings.class_embedding';
    expect([...(store.tensors.get('vision_tower.embeddings.class_embedding') as Tensor).data]).toEqual([
      ...tower.read(name),
    ]);
  });
});

describe('a new model', () => {
  it('has the parameters of a file of the same configuration', () => {
    for (const name of ['decoder/qwen2', 'llava/v1.5', 'clip/contrastive']) {
      const { store } = createModel(fixtureJson(`${name}/config.json`) as ConfigJson);
      const shapes = (tensors: ReadonlyMap<string, { shape: readonly number[] }>) =>
        [...tensors].map(([path, { shape }]) => `${path} ${shape}`).sort();
      expect(shapes(store.tensors)).toEqual(shapes(loadModel(fixture(name)).store.tensors));
    }
  });

  it('has the factors of its adapters', () => {
    const { model } = createModel(fixtureJson('decoder/gqa/config.json') as ConfigJson);
    const lora = { r: 2, alpha: 4, targets: (path: string) => path.endsWith('q_proj') };
    const added = [...parameterSpecs(model, lora).keys()].filter((path) => path.includes('lora'));
    expect(added).toHaveLength(2 * (model.json.num_hidden_layers as number));
    expect(added[0]).toBe('model.layers.0.self_attn.q_proj.lora_A.weight');
  });
});

describe('copyPart', () => {
  it('fills a part from another model', () => {
    const llava = createModel(fixtureJson('llava/v1.5/config.json') as ConfigJson);
    const source = loadModel(fixture('llava/v1.5'));
    copyPart(source, 'vision_tower.', llava.store, 'vision_tower.');
    for (const [path, { data }] of llava.store.tensors) {
      const expected = path.startsWith('vision_tower.') ? source.store.tensors.get(path)?.data : data.map(() => 0);
      expect(data, path).toEqual(expected);
    }
  });

  it('refuses a part that does not fit, naming the parameter', () => {
    const llava = createModel(fixtureJson('llava/v1.5/config.json') as ConfigJson);
    const other = loadModel(fixture('clip/vision-gelu'));
    expect(() => copyPart(other, '', llava.store, 'vision_tower.')).toThrow(
      expect.objectContaining({ code: 'model/part-mismatch', path: expect.stringContaining('vision_tower.') }),
    );
  });
});
