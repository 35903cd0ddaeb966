import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { readUsableSamples } from './usable.ts';

const folder = scratchFolder();
const fixture = (name: string) => readFileSync(new URL(`../../../test/fixtures/image/files/${name}`, import.meta.url));
for (const name of ['rgb.png', 'cut.jpg', 'moving.gif']) folder.write(`pictures/${name}`, fixture(name));
const images = folder.path('pictures');

const talk = (image: string) => ({
  image,
  conversations: [
    { from: 'human', value: '<image>What?' },
    { from: 'gpt', value: 'It.' },
  ],
});

it('refuses and counts rows whose images cannot be read, each named with its row', async () => {
  const path = folder.write(
    'rows.json',
    ['rgb.png', 'cut.jpg', 'rgb.png', 'moving.gif', 'cut.jpg', 'none.png'].map(talk),
  );
  const seen: number[][] = [];
  const { samples, format, report } = await readUsableSamples(
    path,
    { images },
    (...numbers) => void seen.push(numbers),
  );
  expect(format).toBe('llava');
  expect(samples.map(({ views }) => views.row?.where)).toEqual(['rows.json row 1', 'rows.json row 3']);
  expect(report.reasons.map(({ code, count, examples }) => [code, count, examples[0]?.path])).toEqual([
    ['image/corrupt', 2, `rows.json row 2: ${images}/cut.jpg`],
    ['image/animated', 1, `rows.json row 4: ${images}/moving.gif`],
    ['row/image-missing', 1, 'rows.json row 6'],
  ]);
  expect(seen.at(-1)).toEqual([6, 4]);
});

it('takes as many good rows as are asked for, and no more', async () => {
  const path = folder.write('rows.json', ['cut.jpg', 'rgb.png', 'moving.gif', 'rgb.png', 'cut.jpg'].map(talk));
  const { samples, report } = await readUsableSamples(path, { images, count: 2 });
  expect(samples.map(({ views }) => views.row?.where)).toEqual(['rows.json row 2', 'rows.json row 4']);
  expect([report.kept, report.rejected]).toEqual([2, 2]);
});
