import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { referenceBatch, runCausal } from '../../test/support/causal.ts';
import { maxRelative } from '../../test/support/compare.ts';
import { fixture, fixtureTensors, numbers } from '../../test/support/fixtures.ts';
import { tinyLlava } from '../../test/support/stages.ts';
import { type ConfigJson, createModel, loadModel } from '../models/index.ts';
import { loraScale } from '../nn/adapters/lora.ts';
import { isLoraPart, type Lora } from '../nn/index.ts';
import { type LoraPlan, loadPlan } from '../recipe/index.ts';
import { adaptersOf, loraOf, withFreshAdapters } from './lora.ts';
import type { Parts } from './parts.ts';

const widths = { vocab_size: 24, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 };
const opt = { ...widths, model_type: 'opt', ffn_dim: 24, max_position_embeddings: 32, word_embed_proj_dim: 16 };
const qwen3 = { ...widths, model_type: 'qwen3', intermediate_size: 24, max_position_embeddings: 32, head_dim: 8 };

/** Names of the layers that `all-linear` adapts. */
function adapted(json: ConfigJson): string[] {
  const stage = loadPlan('llava-1.5-lora', ['model.from=x', 'stages.tune.data.0.path=x']).stages[0];
  const { loaded } = adaptersOf(stage as NonNullable<typeof stage>, 0, { loaded: createModel(json) } as Parts);
  const factors = [...loaded.store.tensors.keys()].filter((path) => isLoraPart(path) && path.includes('lora_A'));
  return factors.map((path) => path.replace('.lora_A.weight', '')).filter((path) => !/\.1\./.test(path));
}

it('fresh adapters begin as those of PEFT: lengths of rows for DoRA, another scale for rsLoRA, and nothing changed', async () => {
  const base = loadModel(fixture('decoder/qwen2'));
  const { r, alpha, scales } = JSON.parse(readFileSync(fixture('lora/fresh/expected.json'), 'utf8'));
  const plan = (kind: Partial<LoraPlan>): LoraPlan => ({
    r,
    alpha,
    dropout: 0,
    targets: 'all-linear',
    rslora: false,
    dora: false,
    ...kind,
  });
  const scaleOf = (lora: Lora) => lora.alpha / loraScale(lora, '').divisor;
  expect(scaleOf(loraOf(plan({}), base.model, 0))).toBe(scales.lora);
  expect(scaleOf(loraOf(plan({ rslora: true }), base.model, 0))).toBe(scales.rslora);

  const lora = loraOf(plan({ dora: true }), base.model, 0);
  const fresh = withFreshAdapters(base, lora, 3);
  const expected = fixtureTensors('lora/fresh/expected.safetensors');
  const lengths = [...fresh.store.tensors].filter(([path]) => path.endsWith('.lora_magnitude_vector'));
  expect(lengths).toHaveLength(expected.size);
  for (const [path, { data }] of lengths) {
    const peft = numbers(expected.get(`base_model.model.${path}`));
    expect(maxRelative([...data], peft), path).toBeLessThan(3e-7);
  }
  const batch = referenceBatch(fixtureTensors('decoder/qwen2/expected.safetensors'));
  const [with_, without] = [await runCausal(fresh, batch, { lora }), await runCausal(base, batch)];
  expect(maxRelative(with_.logits, without.logits)).toBeLessThan(1e-6);
});

it.each<[string, ConfigJson, string, string]>([
  ['LLaVA', tinyLlava, 'language_model.model.layers.0.', 'self_attn.q_proj mlp.down_proj'],
  ['OPT', opt, 'model.decoder.layers.0.', 'self_attn.out_proj fc1 fc2'],
  ['Qwen3', qwen3, 'model.layers.0.', 'self_attn.o_proj mlp.gate_proj'],
])('all-linear means the layers in the blocks of the language part: %s', (_, json, blocks, some) => {
  const layers = adapted(json);
  expect(layers.every((path) => path.startsWith(blocks))).toBe(true);
  expect(layers).toEqual(expect.arrayContaining(some.split(' ').map((name) => blocks + name)));
});

it('refuses targets that name no layer, and says which there are', () => {
  const stage = loadPlan('llava-1.5-lora', ['model.from=x', 'stages.tune.data.0.path=x', 'lora.targets=q_proj,qproj'])
    .stages[0];
  const parts = { loaded: createModel(tinyLlava) } as Parts;
  expect(() => adaptersOf(stage as NonNullable<typeof stage>, 0, parts)).toThrow(
    expect.objectContaining({ code: 'recipe/lora', got: 'qproj', expected: expect.stringContaining('q_proj, k_proj') }),
  );
});
