import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { builtinTemplate, createTokenizer, type Tokenizer, trainBpe } from '../../src/data/index.ts';
import { type ConfigJson, createModel, saveModel } from '../../src/models/index.ts';
import { initializeStore } from '../../src/nn/index.ts';

/** Sizes of the images that the rows show. */
const images = { 'tall.png': [20, 37], 'wide.png': [41, 9], 'small.png': [5, 6], 'square.png': [24, 24] } as const;
const names = Object.keys(images) as (keyof typeof images)[];
const boxes = ['[10,20,30,40]', '[25,5,75,95]', '[0,0,50,50]', '[60,60,90,90]'];

export const question = 'Where is it?';

/** Images, rows that point at things in them, pairs of a right and a wrong answer, rows of words, and questions of a task. */
export async function writeMaterial(folder: string): Promise<void> {
  mkdirSync(join(folder, 'images'), { recursive: true });
  for (const [i, name] of names.entries()) {
    const [width, height] = images[name];
    const background = { r: 60 * i, g: 200 - 40 * i, b: 90 };
    await sharp({ create: { width, height, channels: 3, background } }).toFile(join(folder, 'images', name));
  }
  const asked = names.map((name, i) => ({
    image: name,
    conversations: [
      { from: 'human', value: `<image>\n${question}` },
      { from: 'gpt', value: boxes[i] },
    ],
  }));
  const pairs = names.map((name, i) => ({
    image: name,
    prompt: `<image>\n${question}`,
    chosen: boxes[i],
    rejected: 'Nowhere.',
  }));
  const words = ['one', 'two', 'three', 'four'].map((word, i) => ({
    conversations: [
      { from: 'human', value: `Say ${word}.` },
      { from: 'gpt', value: `${boxes[i]}` },
    ],
  }));
  const points = names.map((image) => ({ image, prompt: question }));
  const files = { 'rows.json': asked, 'pairs.json': pairs, 'words.json': words, 'points.json': { points } };
  for (const [file, data] of Object.entries(files)) writeFileSync(join(folder, file), JSON.stringify(data));
}

function words(): Tokenizer {
  const prompt = builtinTemplate('llava-1.5').source;
  return createTokenizer(
    trainBpe([...Array(20).fill(prompt), ...boxes, question, 'Say one two three four. Nowhere.'], {
      vocabSize: 330,
      added: ['<image>'],
    }),
  );
}

/** Writes a folder of a stand-in with random weights; `config` is made from the tokenizer. */
export function writeStandIn(folder: string, config: (tokenizer: Tokenizer) => ConfigJson): string {
  const tokenizer = words();
  const loaded = createModel(config(tokenizer));
  initializeStore(loaded.store, 3);
  mkdirSync(folder, { recursive: true });
  saveModel(folder, loaded);
  for (const [name, text] of tokenizer.files) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'chat_template.jinja'), builtinTemplate('llava-1.5').source);
  return folder;
}

const text = (vocab_size: number) => ({
  model_type: 'llama',
  vocab_size,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 256,
});

export const patchworkConfig = (tokenizer: Tokenizer): ConfigJson => ({
  model_type: 'patchwork',
  image_token_id: tokenizer.specials.get('<image>'),
  line_token_id: tokenizer.idOf('.') as number,
  code_ids: [300, 301, 302, 303],
  text_config: text(tokenizer.vocabSize),
});

export const translatorConfig = (tokenizer: Tokenizer): ConfigJson => ({
  model_type: 'translator',
  vocab_size: tokenizer.vocabSize,
  hidden_size: 24,
  max_position_embeddings: 256,
  start_token_id: tokenizer.bos,
});
