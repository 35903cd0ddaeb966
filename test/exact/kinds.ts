import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadTokenizer, withSpecialToken } from '../../src/data/index.ts';
import {
  architectures,
  type ConfigJson,
  clipJson,
  createModel,
  llamaJson,
  llavaJson,
  saveModel,
} from '../../src/models/index.ts';
import { initializeStore } from '../../src/nn/index.ts';

/** Every kind of stage, on models of a few ten thousand parameters. */
export type Kind = 'contrastive' | 'lm' | 'llava' | 'codes';
export const kinds: readonly Kind[] = ['contrastive', 'lm', 'llava', 'codes'];

const data = (...tasks: string[]) =>
  `[${tasks.map((task) => `{ source: tabletop, task: ${task}, scenes: 8 }`).join(', ')}]`;

const stages: Readonly<Record<Kind, string>> = {
  // With heads of the objective's own, which begin and end with the stage.
  contrastive: `
  - name: contrast
    objective: dense-contrastive
    trainable: ["**"]
    template: text
    data: ${data('labelled-captions')}`,
  lm: `
  - { name: text, objective: lm, trainable: ["**"], template: text, data: ${data('corpus')} }`,
  // Projector alone, then adapters with dropout; both look at images.
  llava: `
  - { name: align, objective: lm, trainable: [multi_modal_projector.**], template: plain, data: ${data('captions')} }
  - name: tune
    objective: lm
    trainable: [multi_modal_projector.**]
    template: llava-1.5
    lora: { r: 2, dropout: 0.2 }
    data: ${data('instructions', 'vqa')}`,
  // How long codes have waited is of the stage alone; then they are tokens.
  codes: `
  - name: tokenize
    objective: vector-quantization
    loss: { patience: 2 }
    trainable: [vqmodel.**]
    template: plain
    data: ${data('alt-text')}
  - name: learn
    objective: lm
    loss: { z_loss: 1e-4 }
    trainable: [language_model.**]
    template: chameleon
    data: ${data('drawing')}`,
};

const architectureOf: Readonly<Record<Kind, string>> = {
  contrastive: 'clip',
  lm: 'llama',
  llava: 'llava',
  codes: 'chameleon',
};

export interface Settings {
  readonly steps: number;
  readonly threads: number;
}

/** Writes the recipe of a kind, and beside it the model that it starts from; the recipe's path. */
export async function writeKind(root: string, kind: Kind, { steps, threads }: Settings): Promise<string> {
  const model = join(root, `${kind}-model`);
  if (!existsSync(model)) await writeModel(model, kind);
  const path = join(root, `${kind}-${steps}-${threads}.yaml`);
  const recipe = `system: llava-1.5
model: { architecture: ${architectureOf[kind]}, from: ${model} }
train:
  steps: ${steps}
  batch: 3
  accumulate: 2
  lr: 5e-3
  weight_decay: 0.1
  warmup_ratio: 0.1
  save_every: 2
  eval_every: 4
  log_every: 1
  threads: ${threads}
stages:${stages[kind]}
`;
  writeFileSync(path, recipe);
  return path;
}

const widths = { hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2 };
const looks = { ...widths, image_size: 28, patch_size: 7 };
/** The objective above labels 8 by 8 patches. */
const looksClosely = { ...looks, image_size: 56 };

async function writeModel(folder: string, kind: Kind): Promise<void> {
  const words = await loadTokenizer('assets/backbones/tabletop-lm');
  const values = { codes: 20 };
  const { tokens, fresh } = architectures.chameleon ?? {};
  const own = kind === 'codes' ? (tokens?.(values) ?? []) : [];
  const tokenizer = own.reduce(withSpecialToken, words);
  const language = { ...llamaJson('tiny', tokenizer), ...widths, num_key_value_heads: 1, max_position_embeddings: 512 };
  const clip = clipJson('tiny', tokenizer) as { vision_config: ConfigJson; text_config: ConfigJson };
  const vision = { ...clip.vision_config, ...looks };
  const text = { ...clip.text_config, ...widths, max_position_embeddings: 512 };
  const imageTokenId = tokenizer.idOf('<image>') as number;
  const drawn = () =>
    fresh?.('tiny', tokenizer, { tokenIds: Object.fromEntries(tokenizer.specials), values }) as {
      vq_config: ConfigJson;
    };
  const json: Readonly<Partial<Record<Kind, ConfigJson>>> = {
    contrastive: { ...clip, vision_config: { ...vision, ...looksClosely }, text_config: text },
    lm: language,
    llava: llavaJson({ vision, language, projector: 'mlp', imageTokenId }),
    ...(kind === 'codes' && { codes: withSmallCodes(drawn()) }),
  };
  const loaded = createModel(json[kind] as ConfigJson);
  initializeStore(loaded.store, 7);
  mkdirSync(folder, { recursive: true });
  saveModel(folder, loaded);
  for (const [name, content] of tokenizer.files) writeFileSync(join(folder, name), content);
}

/** 4 by 4 codes an image. */
const withSmallCodes = (json: { vq_config: ConfigJson }): ConfigJson => ({
  ...json,
  ...widths,
  num_key_value_heads: 1,
  max_position_embeddings: 512,
  vq_config: { ...json.vq_config, resolution: 8, channel_multiplier: [1, 1], latent_channels: 8, embed_dim: 4 },
});
