import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { loadTokenizer } from '../data/index.ts';
import { loadModel, readJsonObject } from '../models/index.ts';
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
