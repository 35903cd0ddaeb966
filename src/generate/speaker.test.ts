import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { fixture } from '../../test/support/fixtures.ts';
import { builtinTemplate, clipPad, loadTokenizer, writeImageProcessor } from '../data/index.ts';
import { createModel, saveModel } from '../models/index.ts';
import { initializeStore } from '../nn/index.ts';
import { openConversation } from './chat.ts';
import { loadForGeneration } from './folder.ts';
import { createResponder } from './responder.ts';
import { scoreAnswer } from './score-answer.ts';
import type { SpeakerParts } from './speaker.ts';

const widths = { hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 2 };
const images = ['rgb.png', 'noise.jpg', 'turned.jpg'].map((name) => fixture(`image/files/${name}`));
const folder = mkdtempSync(join(tmpdir(), 'tessera-speaker-'));
let parts: SpeakerParts;

/** A LLaVA folder with random weights, loud enough that images and words change what it says. */
beforeAll(async () => {
  const tokenizer = await loadTokenizer(fixture('tokenize/tiny'));
  const loaded = createModel({
    model_type: 'llava',
    image_token_index: tokenizer.idOf('<image>') as number,
    text_config: {
      model_type: 'llama',
      ...widths,
      vocab_size: 368,
      max_position_embeddings: 256,
      initializer_range: 0.4,
    },
    vision_config: { model_type: 'clip_vision_model', ...widths, image_size: 28, patch_size: 7 },
  });
  initializeStore(loaded.store, 5);
  saveModel(folder, loaded);
  for (const [name, text] of tokenizer.files) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(writeImageProcessor(clipPad(28))));
  writeFileSync(join(folder, 'chat_template.jinja'), builtinTemplate('llava-1.5').source);
  parts = await loadForGeneration(folder, await sharedEngine());
});
afterAll(() => rmSync(folder, { recursive: true }));

const question = (text: string, image?: string) => ({ prompt: text, maxTokens: 10, ...(image && { image }) });

describe('a responder', () => {
  const questions = [
    question('Is there a red cube on the table? Answer yes or no.', images[0]),
    question('What?', images[1]),
    question('What?'),
    question('What colour is the ball?', images[2]),
    question('What?', images[0]),
  ];

  it('gives the same answers in the order of the questions, whatever the batches', async () => {
    const alone = createResponder({ ...parts, batch: 1 });
    const together = createResponder({ ...parts, batch: 3 });
    const answers = await alone.answer(questions);
    expect(await together.answer(questions)).toEqual(answers);
    expect(await together.answer(questions.toReversed())).toEqual(answers.toReversed());
    // The image counts.
    expect(new Set([answers[1], answers[2], answers[4]]).size).toBe(3);
    await Promise.all([alone.close(), together.close()]);
  });

  it('gives up as a whole when it is stopped', async () => {
    const responder = createResponder(parts);
    await expect(responder.answer(questions, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await responder.close();
  });

  it('names the image that cannot be read', async () => {
    const responder = createResponder(parts);
    await expect(responder.answer([question('What?', '/none/there.png')])).rejects.toMatchObject({
      code: 'image/missing',
      path: '/none/there.png',
    });
    await responder.close();
  });
});

describe('a conversation', () => {
  const options = { maxTokens: 8 };

  it('answers as the responder does and streams what it answers', async () => {
    const chat = openConversation(parts);
    const responder = createResponder(parts);
    let streamed = '';
    const onText = (text: string) => {
      streamed += text;
    };
    const said = await chat.say({ text: 'What is there?', images: images.slice(0, 1) }, { ...options, onText });
    const [answer] = await responder.answer([{ ...question('What is there?', images[0]), maxTokens: 8 }]);
    expect(said.text).toBe(answer?.text);
    expect(streamed.trimEnd()).toBe(said.text);
    expect(said).toMatchObject({ finish: 'length', tokens: 8 });
    await Promise.all([chat.close(), responder.close()]);
  });

  it('remembers turns and images until it forgets them', async () => {
    const chat = openConversation(parts);
    const first = await chat.say({ text: 'What?', images: [] }, options);
    const second = await chat.say({ text: 'What?', images: images.slice(0, 2) }, options);
    const third = await chat.say({ text: 'What?', images: [] }, options);
    expect(second.promptTokens).toBeGreaterThan(first.promptTokens + 32);
    expect(third.promptTokens).toBeGreaterThan(second.promptTokens);
    chat.forget();
    expect(await chat.say({ text: 'What?', images: [] }, options)).toEqual(first);
    await chat.close();
  });

  it('forgets a turn that failed', async () => {
    const chat = openConversation(parts);
    await expect(chat.say({ text: 'What?', images: ['/none.png'] }, options)).rejects.toMatchObject({
      code: 'image/missing',
    });
    const fresh = openConversation(parts);
    expect(await chat.say({ text: 'What?', images: [] }, options)).toEqual(
      await fresh.say({ text: 'What?', images: [] }, options),
    );
    await Promise.all([chat.close(), fresh.close()]);
  });

  it('tells who asks too much at once to ask less', async () => {
    const chat = openConversation(parts);
    await expect(chat.say({ text: 'What? '.repeat(500), images: [] }, options)).rejects.toMatchObject({
      code: 'generate/too-long',
      message: expect.stringContaining('prompt'),
      remedy: 'shorten the prompt',
    });
    await chat.close();
  });

  it('ends an answer where the positions end, and then says that it is full', async () => {
    const chat = openConversation(parts);
    const said = await chat.say({ text: 'What?', images: images }, { maxTokens: 500 });
    expect(said.promptTokens + said.tokens).toBe(256);
    expect(said.finish).toBe('length');
    await expect(chat.say({ text: 'What?', images: [] }, options)).rejects.toMatchObject({
      code: 'generate/too-long',
      remedy: 'begin a new conversation',
    });
    await chat.close();
  });

  it('cuts an answer, and what is streamed of it, exactly at a stop string', async () => {
    const chat = openConversation(parts);
    const whole = await chat.say({ text: 'What?', images: [] }, options);
    const stop = whole.text.slice(3, 6);
    chat.forget();
    let streamed = '';
    const onText = (text: string) => {
      streamed += text;
    };
    const cut = await chat.say({ text: 'What?', images: [] }, { ...options, stop: [stop], onText });
    const expected = whole.text.slice(0, whole.text.indexOf(stop));
    expect(cut).toMatchObject({ text: expected.trim(), finish: 'stop' });
    expect(streamed).toBe(expected);
    expect(cut.tokens).toBeLessThan(whole.tokens);
    await chat.close();
  });

  it('keeps an answer that was stopped half way', async () => {
    const chat = openConversation(parts);
    const stopper = new AbortController();
    const onText = () => stopper.abort();
    const said = await chat.say({ text: 'What?', images: [] }, { maxTokens: 50, onText, signal: stopper.signal });
    expect(said.finish).toBe('cancelled');
    expect(said.tokens).toBeLessThan(50);
    await chat.close();
  });
});

describe('the score of an answer', () => {
  it('is higher for what the model says than for anything else', async () => {
    const chat = openConversation(parts);
    const { text } = await chat.say({ text: 'What?', images: images.slice(0, 1) }, { maxTokens: 5 });
    await chat.close();
    const ask = { prompt: 'What?', images: images.slice(0, 1) };
    const said = await scoreAnswer(parts, { ...ask, answer: text });
    expect(said.map((token) => token.text).join('')).toBe(`${text}</s>`);
    const total = (scores: typeof said) => scores.reduce((sum, { logProb }) => sum + logProb, 0) / scores.length;
    expect(total(said)).toBeGreaterThan(total(await scoreAnswer(parts, { ...ask, answer: 'There is a red cube.' })));
  });
});

describe('another template and a system message', () => {
  const family = (name: string) => fixture(`chat/families/${name}.jinja`);
  const ask = { prompt: 'What?', images: images.slice(0, 1) };
  const reload = async (options: { template?: string; system?: string }) =>
    loadForGeneration(folder, parts.engine, options);
  const tokensOf = async (options: { template?: string; system?: string }, images: readonly string[] = []) => {
    const chat = openConversation(await reload(options));
    const { promptTokens } = await chat.say({ text: 'What?', images }, { maxTokens: 1 });
    await chat.close();
    return promptTokens;
  };

  it("take the place of the folder's", async () => {
    const own = await tokensOf({});
    expect(await tokensOf({ template: 'llava-1.5' })).toBe(own);
    expect(await tokensOf({ template: family('vicuna') })).not.toBe(own);
    expect(await tokensOf({ system: 'Be brief.' })).not.toBe(own);
    await expect(reload({ template: 'llava-15' })).rejects.toMatchObject({ code: 'chat/template-name' });
  });

  it('show images in a template for texts', async () => {
    const template = family('vicuna');
    expect(await tokensOf({ template }, images.slice(0, 1))).toBeGreaterThan((await tokensOf({ template })) + 15);
  });

  it('score in a template without tags, and in one that rewrites answers', async () => {
    const vicuna = await reload({ template: family('vicuna') });
    const tagged = await scoreAnswer(vicuna, { ...ask, answer: 'a red cube' });
    expect(tagged.map(({ text }) => text).join('')).toBe('a red cube</s>');
    const thoughtful = { ...ask, answer: '<think>hm</think>a cube' };
    const qwen = await scoreAnswer(await reload({ template: family('qwen-3') }), thoughtful);
    expect(qwen.map(({ text }) => text).join('')).toBe(`${thoughtful.answer}</s>`);
  });

  it('refuse to drop a question or a system message', async () => {
    for (const [options, lost] of [
      [{ template: 'plain' }, 'What?'],
      [{ template: 'text' }, 'What?'],
      [{ template: 'plain', system: 'Be brief.' }, 'Be brief.'],
    ] as const) {
      const captions = await reload(options);
      const refused = { code: 'generate/question-dropped', got: JSON.stringify(lost) };
      await expect(scoreAnswer(captions, { ...ask, answer: 'a cube' })).rejects.toMatchObject(refused);
      const chat = openConversation(captions);
      await expect(chat.say({ text: 'What?', images: [] }, { maxTokens: 1 })).rejects.toMatchObject(refused);
      await chat.close();
    }
    const chat = openConversation(await reload({ template: 'plain' }));
    expect(await chat.say({ text: '', images: images.slice(0, 1) }, { maxTokens: 2 })).toMatchObject({ tokens: 2 });
    await chat.close();
  });
});

describe('a folder', () => {
  it('without a language model is refused', async () => {
    await expect(loadForGeneration(fixture('llava/v1-clip'), parts.engine)).rejects.toMatchObject({
      code: 'model/cannot',
    });
  });

  it('tells which tokens end an answer', async () => {
    const read = async (eos: unknown) => {
      writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: eos }));
      return (await loadForGeneration(folder, parts.engine)).stopIds;
    };
    expect(await read(2)).toEqual([2]);
    expect(await read([2, 7])).toEqual([2, 7]);
    expect(await read(null)).toEqual([]);
    await expect(read('</s>')).rejects.toMatchObject({ code: 'generate/stop-ids' });
  });
});
