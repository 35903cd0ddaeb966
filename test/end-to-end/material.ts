import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { silentLog } from '../../src/base/index.ts';
import { builtinTemplate, createTokenizer, trainBpe } from '../../src/data/index.ts';
import { clipVisionJson, createModel, llamaJson, llavaJson, saveModel } from '../../src/models/index.ts';
import { initializeStore } from '../../src/nn/index.ts';
import type { Hooks, Progress } from '../../src/run/index.ts';

/** Hooks of a caller that listens to progress alone. */
export function hooks(signal = new AbortController().signal, progress: (p: Progress) => void = () => {}): Hooks {
  return { signal, log: silentLog, progress };
}

const image = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 3, background } });

/** Images as people have them: odd sizes, grey, see-through, turned by their EXIF tag. Their colours are their names. */
const images: Readonly<Record<string, { colour: string; make: () => Sharp }>> = {
  'tall.jpg': { colour: 'red', make: () => image(37, 61, 'red').jpeg() },
  'wide.png': { colour: 'blue', make: () => image(61, 37, 'blue').png() },
  'strip.png': { colour: 'green', make: () => image(8, 200, 'green').png() },
  'grey.jpg': { colour: 'grey', make: () => image(50, 49, '#808080').greyscale().jpeg() },
  'glass.png': { colour: 'yellow', make: () => image(33, 20, 'yellow').ensureAlpha(0.5).png() },
  'turned.jpg': { colour: 'purple', make: () => image(64, 24, 'purple').withMetadata({ orientation: 6 }).jpeg() },
};

export const question = 'What colour is the image?';
export const answerTo = (name: string) => `The image is ${images[name]?.colour}.`;

/** LLaVA's rows about the images: one turn, two turns, and words alone. */
export function llavaRows() {
  const one = (name: string, says: string, answer: string) => ({
    id: `${name} ${says}`,
    image: `shots/${name}`,
    conversations: [
      { from: 'human', value: `<image>\n${says}` },
      { from: 'gpt', value: answer },
    ],
  });
  return Object.entries(images).flatMap(([name, { colour }]) => {
    const asked = one(name, question, answerTo(name));
    const two = one(name, `Is it ${colour}?`, 'Yes.');
    const more = [
      { from: 'human', value: question },
      { from: 'gpt', value: answerTo(name) },
    ];
    const words = { id: `${name} words`, conversations: [{ from: 'human', value: `Say ${colour}.` }, more[1]] };
    const long = { ...two, conversations: [...two.conversations, ...more] };
    const no = ['black', 'white'].map((other) => one(name, `Is it ${other}?`, 'No.'));
    return [asked, { ...asked, id: `${name} again` }, two, long, words, ...no];
  });
}

/** Writes the images into `shots/` and the rows beside it; the path of the rows' file. */
export async function writeRows(folder: string, rows: readonly unknown[] = llavaRows()): Promise<string> {
  mkdirSync(join(folder, 'shots'), { recursive: true });
  for (const [name, { make }] of Object.entries(images)) await make().toFile(join(folder, 'shots', name));
  const path = join(folder, 'rows.json');
  writeFileSync(path, JSON.stringify(rows));
  return path;
}

/** Writes a LLaVA-1.5 of two narrow layers with random weights, as the hub keeps such folders. */
export function writeLlava(folder: string): string {
  const texts = llavaRows().flatMap((row) => row.conversations.map((turn) => turn?.value ?? ''));
  const template = builtinTemplate('llava-1.5');
  const files = trainBpe([...Array(20).fill(texts).flat(), ...Array(20).fill(template.source)], {
    vocabSize: 480,
    added: ['<image>', '<pad>'],
  });
  const tokenizer = createTokenizer(files);
  const widths = { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4 };
  const loaded = createModel(
    llavaJson({
      vision: { ...clipVisionJson('tiny'), ...widths, intermediate_size: 48, image_size: 28, patch_size: 7 },
      language: {
        ...llamaJson('tiny', tokenizer),
        ...widths,
        intermediate_size: 64,
        num_key_value_heads: 2,
        max_position_embeddings: 256,
      },
      projector: 'mlp',
      imageTokenId: tokenizer.idOf('<image>') as number,
    }),
  );
  initializeStore(loaded.store, 7);
  // As large as those of a trained model, so that the frozen parts tell images and words apart.
  for (const [path, { data }] of loaded.store.tensors) {
    const growth = path.includes('lm_head') ? 30 : /embed|class/.test(path) ? 10 : 1;
    for (let i = 0; i < data.length; i++) data[i] = growth * (data[i] as number);
  }
  mkdirSync(folder, { recursive: true });
  saveModel(folder, loaded);
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const others: Record<string, string> = {
    ...Object.fromEntries(files),
    'chat_template.jinja': template.source,
    'generation_config.json': json({ bos_token_id: 1, eos_token_id: 2, pad_token_id: tokenizer.pad }),
    'preprocessor_config.json': json(preprocessing),
    'processor_config.json': json({
      processor_class: 'LlavaProcessor',
      image_token: '<image>',
      num_additional_image_tokens: 1,
      patch_size: 7,
      vision_feature_select_strategy: 'default',
    }),
  };
  for (const [name, text] of Object.entries(others)) writeFileSync(join(folder, name), text);
  return folder;
}

const preprocessing = {
  crop_size: { height: 28, width: 28 },
  do_center_crop: true,
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_processor_type: 'CLIPImageProcessor',
  image_std: [0.26862954, 0.26130258, 0.27577711],
  processor_class: 'LlavaProcessor',
  resample: 3,
  rescale_factor: 0.00392156862745098,
  size: { shortest_edge: 28 },
};
