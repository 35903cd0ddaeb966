import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { decodeImage, loadTokenizer } from '../data/index.ts';
import { loadModel, modelPlace, readJsonObject, refuseOtherTower, writeJsonObject, writeSafetensors } from './index.ts';

const scratch = scratchFolder();

/** A copy of a folder of the fixtures, changed. */
function changed(name: string, change: (folder: string) => void): string {
  const folder = join(scratch.fresh(), 'model');
  cpSync(fixture(name), folder, { recursive: true });
  change(folder);
  return folder;
}

const withConfig = (folder: string, more: Parameters<typeof writeJsonObject>[1]) =>
  writeJsonObject(join(folder, 'config.json'), { ...readJsonObject(join(folder, 'config.json')), ...more });

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0123456789abcdef'.repeat(4)}\nsize 14126532416\n`;

describe('a Git LFS pointer', () => {
  const fault = { code: 'file/lfs-pointer', remedy: expect.stringContaining('git lfs pull') };

  it('in the place of weights', () => {
    const folder = changed('decoder/gqa', (at) => writeFileSync(join(at, 'model.safetensors'), pointer));
    expect(() => loadModel(folder)).toThrow(expect.objectContaining(fault));
  });

  it('in the place of a tokenizer', async () => {
    const folder = changed('tokenize/tiny', (at) => writeFileSync(join(at, 'tokenizer.json'), pointer));
    await expect(loadTokenizer(folder)).rejects.toMatchObject(fault);
  });

  it('in the place of an image', async () => {
    const path = join(scratch.fresh(), 'shot.jpg');
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, pointer);
    await expect(decodeImage(path)).rejects.toMatchObject(fault);
  });
});

describe('a folder that is not read has one fault', () => {
  it.each([
    ['bitsandbytes', { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } }],
    ['gptq', { text_config: { quantization_config: { quant_method: 'gptq', bits: 4 } } }],
    ['compressed-tensors', { compression_config: { quant_method: 'compressed-tensors' } }],
  ])('for weights rounded by %s', (method, config) => {
    const folder = changed('decoder/gqa', (at) => withConfig(at, config));
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'model/quantized', got: `quant_method ${method}`, others: [] }),
    );
  });

  it.each([
    ['bitsandbytes', 'model.layers.0.mlp.down_proj.weight.absmax'],
    ['bitsandbytes', 'model.layers.0.mlp.down_proj.weight.quant_state.bitsandbytes__nf4'],
    ['GPTQ or AWQ', 'model.layers.0.mlp.down_proj.qweight'],
  ])('for weights that %s has packed without a word: %s', (tool, name) => {
    const folder = changed('decoder/gqa', (at) => {
      const header = JSON.stringify({ [name]: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      writeFileSync(join(at, 'model.safetensors'), Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]));
    });
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'model/quantized', message: expect.stringContaining(tool), others: [] }),
    );
  });

  it.each([
    ['GPTQ or AWQ', 'quantize_config.json', { bits: 4, group_size: 128 }, 'weights of 4 bits'],
    ['awq', 'quant_config.json', { quant_method: 'awq', w_bit: 4 }, 'weights of 4 bits'],
  ])('for weights rounded by %s as %s says', (tool, name, settings, got) => {
    const folder = changed('decoder/gqa', (at) => writeJsonObject(join(at, name), settings));
    const message = expect.stringContaining(tool);
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'model/quantized', path: join(folder, name), message, got, others: [] }),
    );
  });

  it.each([
    ['llava/v1', 'model.mm_projector.weight'],
    ['llava/v1.5', 'multi_modal_projector.linear_1.weight'],
  ])('for a projector alone in the place of %s, whose tower is not asked for first', (name, tensor) => {
    const folder = changed(name, (at) => {
      writeSafetensors(join(at, 'model.safetensors'), new Map([[tensor, { shape: [1], data: new Float32Array(1) }]]));
    });
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'model/projector-alone', got: tensor, others: [] }),
    );
  });

  it('for a GGUF file, and a folder of one', () => {
    const folder = scratch.fresh();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'llava.Q4_K_M.gguf'), 'GGUF');
    for (const where of [folder, join(folder, 'llava.Q4_K_M.gguf')]) {
      expect(() => modelPlace(where)).toThrow(
        expect.objectContaining({ code: 'model/gguf', got: 'llava.Q4_K_M.gguf' }),
      );
    }
  });

  it('for a name on the hub, with the way to a folder', () => {
    const folder = scratch.fresh();
    mkdirSync(folder, { recursive: true });
    const remedy = expect.stringContaining('hf download llava-hf/llava-1.5-7b-hf --local-dir llava-1.5-7b-hf');
    const name = join(folder, 'llava-hf/llava-1.5-7b-hf');
    expect(() => modelPlace(name)).toThrow(expect.objectContaining({ code: 'run/no-model', remedy }));
    expect(() => loadModel(name)).toThrow(expect.objectContaining({ code: 'folder/missing-file', remedy }));
    const plain = join(folder, 'nowhere');
    expect(() => modelPlace(plain)).toThrow(expect.objectContaining({ got: 'no such folder', remedy: undefined }));
  });

  it('for a vision tower of another kind, which is not to be fetched', () => {
    const folder = changed('llava/v1', (at) => withConfig(at, { mm_vision_tower: 'google/siglip-so400m-patch14-384' }));
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'model/tower', remedy: expect.not.stringContaining('download') }),
    );
  });

  it('for such a tower of a recipe, with none of the way to fetch it', () => {
    for (const name of ['google/siglip-base-patch16-224', 'facebook/dinov2-base', 'EVA-CLIP-8B']) {
      expect(() => refuseOtherTower(join(scratch.fresh(), name))).toThrow(
        expect.objectContaining({ code: 'model/tower', remedy: expect.not.stringContaining('download') }),
      );
    }
    expect(() => refuseOtherTower('openai/clip-vit-base-patch32')).not.toThrow();
    expect(() => refuseOtherTower(scratch.fresh())).not.toThrow();
  });

  it('for a vision tower named by the hub, which says where it goes', () => {
    const folder = changed('llava/v1', (at) =>
      withConfig(at, { mm_vision_tower: 'openai/clip-vit-large-patch14-336' }),
    );
    const place = join(folder, '..', 'clip-vit-large-patch14-336');
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({
        code: 'model/tower',
        expected: 'openai/clip-vit-large-patch14-336',
        remedy: expect.stringContaining(place),
      }),
    );
    // There it is found.
    cpSync(fixture('llava/v1-clip'), place, { recursive: true });
    expect(loadModel(folder).store.specs.size).toBeGreaterThan(0);
  });

  it('for shards that a download has not brought', () => {
    const shard = 'model-00002-of-00004.safetensors';
    const folder = changed('llava/v1.5-gqa', (at) => rmSync(join(at, shard)));
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'checkpoint/missing-shard', expected: shard }),
    );
  });

  it('for a projector alone, named before the tower that is not there either', () => {
    const folder = changed('llava/v1', (at) => {
      rmSync(join(at, 'model.safetensors'));
      writeFileSync(join(at, 'mm_projector.bin'), '');
      withConfig(at, { mm_vision_tower: 'nowhere' });
    });
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'checkpoint/part-only', got: 'mm_projector.bin' }),
    );
  });

  it('for weights in a pickle file', () => {
    const folder = changed('decoder/gqa', (at) => {
      rmSync(join(at, 'model.safetensors'));
      writeFileSync(join(at, 'pytorch_model.bin'), '');
    });
    expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'checkpoint/legacy-pickle' }));
  });

  it('for an adapter whose projector stands in a file of its own', () => {
    const folder = changed('lora/rslora', (at) => {
      writeFileSync(join(at, 'non_lora_trainables.bin'), '');
      writeJsonObject(join(at, 'config.json'), { model_type: 'llava_llama' });
    });
    expect(() => modelPlace(folder)).toThrow(expect.objectContaining({ code: 'model/adapter-rest' }));
    rmSync(join(folder, 'non_lora_trainables.bin'));
    // With the configuration of its base and no weights it is an adapter alone.
    expect(modelPlace(fixture('lora/rslora')).folder).toBe(fixture('decoder/gqa'));
    expect(() => modelPlace(folder)).toThrow(expect.objectContaining({ code: 'model/adapter-alone' }));
  });
});
