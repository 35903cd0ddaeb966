import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { loadTokenizer } from '../data/index.ts';
import { type ConfigJson, createModel, loadModel, readJsonObject, saveModel } from '../models/index.ts';
import { initializeStore } from '../nn/index.ts';
import { exportModel } from './export.ts';

describe('a folder of the first LLaVA release, exported', async () => {
  const root = scratchFolder().fresh();
  const [folder, out] = [join(root, 'v1'), join(root, 'out')];
  cpSync(fixture('llava/v1'), folder, { recursive: true });
  cpSync(fixture('llava/v1-clip'), join(root, 'v1-clip'), { recursive: true });
  cpSync(fixture('tokenize/tiny'), folder, { recursive: true });
  await exportModel(folder, { to: 'hf', out, dtype: 'float32', merge: false });

  it('has a token for images and a row for it, which configuration, tokenizer and processor agree on', async () => {
    const config = readJsonObject(join(out, 'config.json'));
    const id = (await loadTokenizer(out)).specials.get('<image>') as number;
    expect(config.image_token_index).toBe(id);
    expect((config.text_config as { vocab_size: number }).vocab_size).toBeGreaterThan(id);
    expect(readJsonObject(join(out, 'processor_config.json')).image_token).toBe('<image>');
  });

  it('keeps its preprocessing beside its weights', () => {
    expect(existsSync(join(out, 'preprocessor_config.json'))).toBe(true);
    const [before, after] = [loadModel(folder), loadModel(out)];
    for (const [path, { data }] of before.store.tensors) {
      const kept = after.store.tensors.get(path)?.data.subarray(0, data.length);
      if (!/embed_tokens|lm_head/.test(path)) expect(kept, path).toEqual(data);
    }
    expect(after.layout.name).toBe('llava-hub');
  });
});

describe('a BLIP-2, exported', () => {
  const root = scratchFolder().fresh();
  const to = (out: string) => ({ to: 'hf', out: join(root, out), dtype: 'float32', merge: false }) as const;

  it('goes out with the tower that transformers has a class for', async () => {
    await exportModel(fixture('blip2/opt'), to('eva'));
    expect(loadModel(join(root, 'eva')).model.architecture).toBe('blip-2');
  });

  it('is refused with a tower of CLIP, of which transformers would make another model', async () => {
    const { vision_config: vision } = readJsonObject(fixture('llava/v1.5/config.json'));
    const json = readJsonObject(fixture('blip2/opt/config.json'));
    const qformer = { ...(json.qformer_config as object), encoder_hidden_size: (vision as ConfigJson).hidden_size };
    const loaded = createModel({ ...json, vision_config: vision, qformer_config: qformer } as ConfigJson);
    initializeStore(loaded.store, 0);
    const folder = join(root, 'clip');
    mkdirSync(folder);
    saveModel(folder, loaded, 'float32');
    await expect(exportModel(folder, to('refused'))).rejects.toMatchObject({
      code: 'export/no-class',
      message: expect.stringContaining('CLIP'),
      remedy: expect.stringContaining('--to onnx'),
    });
    expect(existsSync(join(root, 'refused'))).toBe(false);
  });
});
