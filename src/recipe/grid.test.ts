import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { codesOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { readGrid } from './index.ts';

const root = scratchFolder();

function read(text: string) {
  writeFileSync(root.path('mine.yaml'), text);
  return readGrid(root.path('mine.yaml'), ['train.steps=2']);
}

const rest = `
methods: { plain: { recipe: llava-dpo } }
seeds: [0, 1]
eval: { tasks: [chair, vqa], limit: 9 }
table: { measure: chair/strict/i, beside: [vqa/yes/no/accuracy] }
`;

it('names bases after their architectures, and puts overrides of the command line last', () => {
  const grid = read(`bases: { llava: { from: a }, mine: { architecture: llava, recipe: b, training: [train.seed=1] } }
overrides: [train.lr=1]${rest}`);
  expect([...grid.bases.values()].map(({ architecture }) => architecture)).toEqual(['llava', 'llava']);
  expect(grid.overrides).toEqual(['train.lr=1', 'train.steps=2']);
  expect(grid.beside).toEqual([{ task: 'vqa', group: 'yes/no', metric: 'accuracy' }]);
  expect(grid.folder).toBe('runs/mine');
});

it('has every fault told', () => {
  const codes = (text: string) => codesOf(() => read(text));
  expect(codes('bases: {')).toEqual(['grid/yaml']);
  expect(codes(`bases: &a [*a]${rest}`)).toEqual(['grid/yaml']);
  expect(codes(`bases: { llava: { form: a } }${rest}`)).toEqual(['recipe/unknown-key']);
  expect(codes(`bases: { mine: { from: a, recipe: b } }${rest}`)).toEqual(['grid/value', 'grid/value']);
  const table = 'table: { measure: pope/random/f1 }';
  const asked = rest.replace(/table.*/, table).replace('[0, 1]', '[1, 1]');
  expect(codes(`bases: { llava: { from: a } }${asked}`)).toEqual(['grid/value', 'grid/value']);
  expect(codesOf(() => readGrid(root.path('none.yaml')))).toEqual(['grid/file']);
});

it('reads the grids of the house', () => {
  const grid = readGrid('recipes/grids/alignment.yaml');
  expect(grid.bases.size).toBeGreaterThan(1);
  expect(grid.methods.size).toBeGreaterThan(3);
});
