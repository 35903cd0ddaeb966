import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selector, type Tensor } from '../src/base/index.ts';
import { createModel, parameterSpecs, saveModel, writeAdapter, writeSafetensors } from '../src/models/index.ts';
import { allocateStore, fillStore, type Lora } from '../src/nn/index.ts';
import { initialValue, normEpsilon } from './problem.ts';

/** Stage 1 trains the projector alone; stage 2 trains LoRA factors on the decoder's linear layers and the projector. */
export const stageNames = ['projector', 'lora'] as const;
export type StageName = (typeof stageNames)[number];

export interface LlavaProblem {
  readonly vocabSize: number;
  readonly batch: number;
  /** Text tokens of a row, all supervised; they follow the image. */
  readonly textLength: number;
}

/** A folder that every peer loads: the model, an adapter in PEFT layout below `adapter`, and `batch.safetensors`. */
export interface LlavaFolder {
  readonly folder: string;
  readonly parameters: number;
}

export const rank = 16;
export const lora: Lora = { r: rank, alpha: 2 * rank, targets: selector(['language_model.model.layers.**']) };

/** Path patterns of what a stage trains. */
export const trainable: Readonly<Record<StageName, readonly string[]>> = {
  projector: ['multi_modal_projector.**'],
  lora: ['multi_modal_projector.**', '**.lora_A.weight', '**.lora_B.weight'],
};

/** CLIP ViT-B/16 at 224 pixels (Radford et al. 2021): 196 patches; a decoder of width 768 and six layers. */
function llavaConfig(vocabSize: number) {
  return {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    image_token_index: vocabSize - 1,
    projector_hidden_act: 'gelu',
    vision_feature_layer: -2,
    vision_feature_select_strategy: 'default',
    tie_word_embeddings: false,
    vision_config: {
      model_type: 'clip_vision_model',
      hidden_size: 768,
      intermediate_size: 3072,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      image_size: 224,
      patch_size: 16,
      hidden_act: 'quick_gelu',
    },
    text_config: {
      model_type: 'llama',
      vocab_size: vocabSize,
      hidden_size: 768,
      intermediate_size: 2048,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      num_key_value_heads: 12,
      max_position_embeddings: 512,
      rms_norm_eps: normEpsilon,
      hidden_act: 'silu',
      tie_word_embeddings: false,
    },
  };
}

/** Writes the folder into the system's place for temporary files. */
export function writeLlavaFolder(problem: LlavaProblem): LlavaFolder {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-bench-llava-'));
  const base = createModel(llavaConfig(problem.vocabSize));
  for (const [path, { shape, data }] of base.store.tensors) data.set(startValue(path, shape));
  saveModel(folder, base);
  const adapted = allocateStore(parameterSpecs(base.model, lora));
  fillStore(adapted, base.store.tensors);
  const tensors = new Map<string, Tensor<'float32'>>();
  for (const [path, tensor] of adapted.tensors) {
    // B starts at zero, as LoRA does.
    if (path.endsWith('.lora_A.weight')) tensor.data.set(startValue(path, tensor.shape));
    if (path.includes('.lora_')) tensors.set(path, tensor);
  }
  const config = { r: rank, alpha: lora.alpha, dropout: 0, targets: [], modulesToSave: [], taskType: null, base: null };
  const layout = base.model.layouts.find(({ name }) => name === 'llava-runtime');
  if (!layout) throw new Error('PEFT wants the names that modules have in memory');
  mkdirSync(join(folder, 'adapter'));
  writeAdapter(join(folder, 'adapter'), { config, tensors, ranks: new Map() }, base.store.specs, layout);
  writeSafetensors(join(folder, 'batch.safetensors'), batchTensors(problem));
  return { folder, parameters: [...base.store.tensors.values()].reduce((n, { data }) => n + data.length, 0) };
}

/** Biases zero, the other vectors one, matrices uniform. */
function startValue(path: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const data = initialValue(path, shape);
  return path.endsWith('.bias') ? data.fill(0) : data;
}

/** `pixels [B, 3, 224, 224]`, and `ids`, `labels [B, 196 + T]` as transformers takes them: -100 is nobody's target. */
function batchTensors({ vocabSize, batch, textLength }: LlavaProblem): Map<string, Tensor> {
  const side = 224;
  const rows = (side / 16) ** 2;
  const length = rows + textLength;
  const pixels = initialValue('pixels', [batch, 3, side, side]).map((x) => 50 * x);
  const noise = initialValue('tokens', [batch, length]);
  const isImage = (i: number) => i % length < rows;
  const text = (i: number) => Math.floor(((noise[i] as number) / (0.02 * Math.sqrt(12)) + 0.5) * (vocabSize - 2));
  const ids = new Int32Array(batch * length).map((_, i) => (isImage(i) ? vocabSize - 1 : text(i)));
  const shape = [batch, length];
  return new Map<string, Tensor>([
    ['pixels', { dtype: 'float32', shape: [batch, 3, side, side], data: pixels }],
    ['ids', { dtype: 'int32', shape, data: ids }],
    ['labels', { dtype: 'int32', shape, data: ids.map((id, i) => (isImage(i) ? -100 : id)) }],
  ]);
}
