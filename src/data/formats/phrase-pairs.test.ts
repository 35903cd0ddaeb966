import { expect, test } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { findTemplate } from '../chat/index.ts';
import type { Example } from '../example.ts';
import { encodeRow } from '../example.ts';
import type { Row } from '../row.ts';
import { loadTokenizer } from '../tokenize/index.ts';
import { readSamples } from './read.ts';

const scratch = scratchFolder();
const views = ['chosen', 'rejected', 'reference'];
const record = {
  id: 'a',
  prompt: 'Describe the image.',
  chosen: 'There is a red cube left of a small ball.',
  rejected: 'There is a blue cone left of a large ball.',
  phrases: [
    { chosen: [9, 19], rejected: [9, 20] },
    { chosen: [28, 40], rejected: [29, 41] },
  ],
  reference: { prompt: 'What is a ring?', answer: 'Something round.' },
};

function read(rows: readonly unknown[]) {
  const file = scratch.write('pairs.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return readSamples(file, { views });
}

test.each(['plain', 'llava-v1', 'llava-1.5'])('phrases are found among the tokens of %s', async (name) => {
  const { samples, format } = read([record]);
  expect(format).toBe('phrase-pairs');
  const tokenizer = await loadTokenizer('assets/backbones/tabletop-lm');
  const template = findTemplate(name);
  for (const side of ['chosen', 'rejected'] as const) {
    const row = samples[0]?.views[side] as Row;
    const { kept } = encodeRow(row, { tokenizer, template }) as { readonly kept: Example };
    const textOf = (phrase: number) =>
      tokenizer.decode([...kept.ids].filter((_, t) => kept.phrases?.[t] === phrase)).trim();
    for (const [i, phrase] of record.phrases.entries()) {
      expect(textOf(i + 1)).toBe(record[side].slice(...(phrase[side] as [number, number])));
    }
    expect([...kept.ids.keys()].every((t) => !kept.phrases?.[t] || kept.supervised[t] === 1)).toBe(true);
  }
  const reference = encodeRow(samples[0]?.views.reference as Row, { tokenizer, template }) as {
    readonly kept: Example;
  };
  expect(reference.kept.phrases).toBeUndefined();
});

test('places that are no parts of the answers are refused', () => {
  const places = [
    [{ chosen: [9, 99], rejected: [9, 20] }],
    [
      { chosen: [9, 19], rejected: [9, 20] },
      { chosen: [12, 30], rejected: [29, 41] },
    ],
    [{ chosen: [8, 9], rejected: [9, 20] }],
  ];
  for (const phrases of places) {
    const { samples, report } = read([record, { ...record, phrases }]);
    expect(samples).toHaveLength(1);
    expect(report.reasons).toMatchObject([{ code: 'row/phrases', count: 1 }]);
  }
});
