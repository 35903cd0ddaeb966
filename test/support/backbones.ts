import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTokenizer, trainBpe } from '../../src/data/index.ts';
import { type ConfigJson, clipVisionJson, createModel, llamaJson, saveModel } from '../../src/models/index.ts';
import { initializeStore } from '../../src/nn/index.ts';
import { llavaRows } from '../end-to-end/material.ts';

/** Writes a tiny language model into `language` below a folder, with a tokenizer of the end-to-end rows, and a tower into `vision`. */
export function writeBackbones(root: string): void {
  const texts = llavaRows().flatMap((row) => row.conversations.map((turn) => turn?.value ?? ''));
  const tokenizer = createTokenizer(trainBpe(Array(20).fill(texts).flat(), { vocabSize: 330, added: ['<pad>'] }));
  const widths = { hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 4 };
  const folders: Record<string, ConfigJson> = {
    language: { ...llamaJson('tiny', tokenizer), ...widths, num_key_value_heads: 4 },
    vision: { ...clipVisionJson('tiny'), ...widths, image_size: 28, patch_size: 7 },
  };
  for (const [name, json] of Object.entries(folders)) {
    const made = createModel(json);
    initializeStore(made.store, 5);
    mkdirSync(join(root, name));
    saveModel(join(root, name), made);
  }
  for (const [name, text] of tokenizer.files) writeFileSync(join(root, 'language', name), text);
}
