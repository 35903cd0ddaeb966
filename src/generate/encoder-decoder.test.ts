import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { builtinTemplate, loadTokenizer } from '../data/index.ts';
import { createModel, saveModel } from '../models/index.ts';
import { initializeStore } from '../nn/index.ts';
import { loadForGeneration } from './folder.ts';
import { createResponder } from './responder.ts';
import { openSpeaker, questionRow } from './speaker.ts';

const { fresh } = scratchFolder();

/** A T5 folder with random weights, loud enough that its source changes what it says. */
async function t5Folder(): Promise<string> {
  const tokenizer = await loadTokenizer(fixture('tokenize/tiny'));
  const sizes = { d_model: 32, d_kv: 16, d_ff: 48, num_layers: 2, num_heads: 2, vocab_size: 368 };
  const loaded = createModel({ model_type: 't5', ...sizes, decoder_start_token_id: 3, initializer_factor: 2 });
  initializeStore(loaded.store, 5);
  const folder = fresh();
  mkdirSync(folder, { recursive: true });
  saveModel(folder, loaded);
  for (const [name, text] of tokenizer.files) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'chat_template.jinja'), builtinTemplate('llava-1.5').source);
  return folder;
}

it('an encoder-decoder answers what it is asked, alone and together', async () => {
  const parts = await loadForGeneration(await t5Folder(), await sharedEngine());
  const { encode, program } = openSpeaker(parts);
  const { ids, texts } = encode(questionRow('a row', 'What is red?', []));
  expect([...ids]).toEqual([3]);
  expect(texts?.sourceIds?.length).toBeGreaterThan(5);
  const turns = (['user', 'assistant', 'user'] as const).map((role) => ({
    role,
    parts: [{ type: 'text' as const, text: `${role} speaks` }],
  }));
  const longer = encode({ id: 'b', where: 'a talk', media: [], turns });
  expect([...longer.ids]).toEqual([3]);
  expect(parts.tokenizer.decode([...(longer.texts?.sourceIds ?? [])])).toContain('assistant speaks');
  await program.dispose();
  const questions = ['What is red?', 'Is there a cube on the table?', 'How many balls are there?'].map((prompt) => ({
    prompt,
    maxTokens: 8,
  }));
  const alone = createResponder({ ...parts, batch: 1 });
  const together = createResponder({ ...parts, batch: 3 });
  const answers = await alone.answer(questions);
  expect(new Set(answers).size).toBeGreaterThan(1);
  expect(await together.answer(questions)).toEqual(answers);
  await Promise.all([alone.close(), together.close()]);
});
