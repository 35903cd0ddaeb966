import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeLlava, writeRows } from '../../test/end-to-end/material.ts';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { type Row, readRows } from '../data/index.ts';
import { loadForGeneration } from '../generate/index.ts';
import { openSpeaker, shotsRow } from '../generate/speaker.ts';
import { loadModel } from '../models/index.ts';
import { evaluable } from '../recipe/checks.ts';
import { imageVectors } from '../retrieve/index.ts';
import { abilitiesOf } from './responder.ts';

const { fresh, write } = scratchFolder();

describe('what evaluations can ask of a model', () => {
  it.each([
    ['llava', 'llava/v1.5'],
    ['flamingo', 'flamingo/llama'],
    ['chameleon', 'chameleon/painter'],
    ['llama_adapter', 'llama-adapter/gqa'],
    ['clip', 'clip/contrastive'],
    ['llama', 'decoder/mha'],
  ])('is the same by the record of the system and by the model: %s', (architecture, name) => {
    const { model } = loadModel(fixture(name));
    expect([...abilitiesOf(model)].sort()).toEqual([...evaluable({ architecture })].sort());
  });

  it('of a model with several classes is that of the classes that its folder names', () => {
    expect([...abilitiesOf(loadModel(fixture('blip2/opt')).model)]).toEqual(['answers']);
    expect([...abilitiesOf(loadModel(fixture('blip2-compare')).model)]).toEqual(['searches']);
    expect([...evaluable({ architecture: 'blip-2' })]).toEqual(['answers', 'searches']);
  });
});

describe('shots', () => {
  it('are read as the turns of a conversation about several images', async () => {
    const root = fresh();
    writeLlava(join(root, 'model'));
    await writeRows(root);
    const speaker = openSpeaker(await loadForGeneration(join(root, 'model'), await sharedEngine()));
    const names = ['tall.jpg', 'wide.png', 'strip.png'].map((name) => join(root, 'shots', name)) as [
      string,
      string,
      string,
    ];
    const [first, second, image] = names;
    const shots = [
      { image: first, prompt: 'What colour?', answer: 'red' },
      { image: second, prompt: 'Is it red?', answer: 'no' },
    ];
    const asked = speaker.encode(shotsRow('question', { shots, prompt: 'Is it green?', image }));
    const said = ['What colour?', 'red', 'Is it red?', 'no', 'Is it green?', 'yes'];
    const conversations = said.map((text, i) =>
      i % 2 === 0 ? { from: 'human', value: `<image>\n${text}` } : { from: 'gpt', value: text },
    );
    const file = write('rows.json', [{ id: 'x', image: names, conversations }]);
    const { rows } = readRows(file, { format: 'llava', images: root });
    const row = rows[0] as Row;
    const read = speaker.encode({ ...row, turns: row.turns.slice(0, -1) });
    expect([...asked.ids]).toEqual([...read.ids]);
    expect(asked.media.map(({ media }) => media)).toEqual(read.media.map(({ media }) => media));
    await speaker.program.dispose();
  }, 60_000);

  it('are chosen by unit vectors of the tower, which are those of the image whatever it is read with', async () => {
    const root = fresh();
    writeLlava(join(root, 'model'));
    await writeRows(root);
    const parts = await loadForGeneration(join(root, 'model'), await sharedEngine());
    const paths = ['tall.jpg', 'wide.png', 'tall.jpg'].map((name) => join(root, 'shots', name));
    const [one, two, again] = (await imageVectors(parts, paths)) as [Float32Array, Float32Array, Float32Array];
    const [alone] = (await imageVectors(parts, paths.slice(1))) as [Float32Array];
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
    for (const [a, b] of [
      [one, one],
      [one, again],
      [two, alone],
    ] as const) {
      expect(dot(a, b)).toBeCloseTo(1, 5);
    }
    expect(dot(one, two)).toBeLessThan(0.9999);
  }, 60_000);
});
