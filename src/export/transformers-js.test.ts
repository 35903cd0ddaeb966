import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeLlava } from '../../test/end-to-end/material.ts';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { hasManifest } from '../files/index.ts';
import { readJsonObject, writeJsonObject } from '../models/index.ts';
import { decodeModel } from '../onnx/index.ts';
import { exportModel } from '../run/export.ts';

const scratch = scratchFolder();
const to = (layout: 'onnx' | 'transformers.js', out: string) =>
  ({ to: layout, out, dtype: 'float32', merge: false }) as const;

const ints = (ids: readonly number[], shape: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(ids.map(BigInt)), [...shape]);
const slotsOf = (ids: readonly number[], image: number) => ids.flatMap((id, at) => (id === image ? [at] : []));
const largest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));

describe('a LLaVA for transformers.js', () => {
  let [folder, out, whole]: string[] = [];
  beforeAll(async () => {
    folder = writeLlava(scratch.fresh());
    [out, whole] = [join(scratch.fresh(), 'js'), join(scratch.fresh(), 'onnx')];
    await exportModel(folder, to('transformers.js', out));
    await exportModel(folder, to('onnx', whole));
  });
  const session = (name: string) => InferenceSession.create(join(out as string, 'onnx', `${name}.onnx`));

  it('says in its configuration what transformers.js asks for, and keeps no weights twice', () => {
    expect(readJsonObject(join(out as string, 'config.json'))).toMatchObject({
      model_type: 'llava',
      'transformers.js_config': { dtype: 'fp32', use_external_data_format: true },
    });
    expect(readJsonObject(join(out as string, 'preprocessor_config.json')).processor_class).toBe('LlavaProcessor');
    // A tower of 4 by 4 patches whose class row is left out.
    expect(readJsonObject(join(out as string, 'processor_config.json'))).toMatchObject({
      patch_size: 7,
      num_additional_image_tokens: 0,
      image_token: '<image>',
    });
    expect(String(readJsonObject(join(out as string, 'tokenizer_config.json')).chat_template)).toContain('<image>');
    expect(existsSync(join(out as string, 'model.safetensors'))).toBe(false);
    expect(hasManifest(out as string)).toBe(true);
  });

  it('gives the logits of the whole graph, read at once and token by token', async () => {
    const image = Number(readJsonObject(join(out as string, 'config.json')).image_token_index);
    const ids = [1, 40, ...Array<number>(16).fill(image), 41, 7, 99, 12];
    const read = 20;
    const pixels = Float32Array.from({ length: 3 * 28 * 28 }, (_, i) => Math.sin(i));

    const reference = await InferenceSession.create(join(whole as string, 'model.onnx'));
    const slots = slotsOf(ids, image);
    const { logits: all } = await reference.run({
      ids: new Tensor('int32', Int32Array.from(ids), [1, ids.length]),
      pixels: new Tensor('float32', pixels, [1, 3, 28, 28]),
      imageRows: new Tensor('int32', Int32Array.from(slots), [16]),
      ...(reference.inputNames.includes('imagesShown') && { imagesShown: new Tensor('int32', Int32Array.of(0), [1]) }),
    });
    const width = all?.dims[2] as number;

    const [words, eyes, decoder] = await Promise.all(
      ['embed_tokens', 'vision_encoder', 'decoder_model_merged'].map(session),
    );
    const embeds = await words?.run({ input_ids: ints(ids, [1, ids.length]) });
    const features = await eyes?.run({ pixel_values: new Tensor('float32', pixels, [1, 3, 28, 28]) });
    const rows = embeds?.inputs_embeds?.data as Float32Array;
    const size = rows.length / ids.length;
    rows.set(features?.image_features?.data as Float32Array, size * (slots[0] as number));

    const caches = (decoder?.inputNames ?? []).filter((name) => name.startsWith('past_key_values'));
    expect(caches).toHaveLength(4);
    let past: Record<string, Tensor> = Object.fromEntries(
      caches.map((name) => [name, new Tensor('float32', new Float32Array(), [1, 2, 0, 16])]),
    );
    const seen: Float32Array[] = [];
    for (const [from, end] of [[0, read], ...ids.slice(read).map((_, i) => [read + i, read + i + 1])] as [
      number,
      number,
    ][]) {
      const given = await decoder?.run({
        inputs_embeds: new Tensor('float32', rows.slice(from * size, end * size), [1, end - from, size]),
        attention_mask: ints(Array<number>(end).fill(1), [1, end]),
        ...past,
      });
      seen.push(given?.logits?.data as Float32Array);
      past = Object.fromEntries(
        caches.map((name) => [name, given?.[name.replace('past_key_values', 'present')] as Tensor]),
      );
      expect(past[caches[0] as string]?.dims).toEqual([1, 2, end, 16]);
    }
    const joined = Float32Array.from(seen.flatMap((part) => [...part]));
    expect(joined.length).toBe(ids.length * width);
    expect(largest(joined, all?.data as Float32Array)).toBeLessThan(1e-4);
  });

  it.each(['embed_tokens', 'vision_encoder', 'decoder_model_merged'])('%s has no operator that ONNX lacks', (name) => {
    const { graph } = decodeModel(readFileSync(join(out as string, 'onnx', `${name}.onnx`)));
    const standard = graph.nodes.filter(({ domain }) => domain === '').map(({ opType }) => opType);
    expect(standard.filter((type) => /Simplified|Fused|Quick|Group|Rotary/.test(type))).toEqual([]);
  });

  it('is refused where it pads images to squares', async () => {
    const padding = writeLlava(scratch.fresh());
    const file = join(padding, 'preprocessor_config.json');
    writeJsonObject(file, { ...readJsonObject(file), do_pad: true });
    const out = join(scratch.fresh(), 'js');
    await expect(exportModel(padding, to('transformers.js', out))).rejects.toMatchObject({
      code: 'export/preprocessing',
    });
    expect(existsSync(out)).toBe(false);
  });
});

describe('other models', () => {
  it('a language model alone is one graph', async () => {
    const out = join(scratch.fresh(), 'js');
    await exportModel('assets/backbones/tabletop-lm', { ...to('transformers.js', out), dtype: 'float16' });
    expect(readdirSync(join(out, 'onnx')).sort()).toEqual(['model.onnx', 'model.onnx_data']);
    const session = await InferenceSession.create(join(out, 'onnx/model.onnx'));
    expect(session.inputNames.slice(0, 2).sort()).toEqual(['attention_mask', 'input_ids']);
  });

  it.each(['blip2/opt', 'clip/contrastive', 'encoder-decoder/t5'])('%s is refused', async (name) => {
    const out = join(scratch.fresh(), 'js');
    await expect(exportModel(fixture(name), to('transformers.js', out))).rejects.toMatchObject({
      code: 'export/no-pieces',
    });
  });
});
