import { describe, expect, it } from 'vitest';
import { builtinTemplateNames, formatNames } from '../data/index.ts';
import { taskNames } from '../eval/index.ts';
import { splits, worldTasks } from '../world/index.ts';
import { optionRows, recipeSchema } from './index.ts';

const rows = new Map(
  optionRows(recipeSchema).map(({ path, type }) => [path, type.replace('list of ', '').split(' | ')]),
);

describe('words of a recipe', () => {
  it.each([
    ['stages.<stage>.template', [...builtinTemplateNames, 'checkpoint', 'file']],
    ['stages.<stage>.data.<n>.split', splits],
    ['stages.<stage>.data.<n>.format', [...formatNames, 'auto']],
    ['eval.tasks', taskNames()],
  ])('%s are those that the other rooms know', (path, known) => {
    expect(rows.get(path)?.toSorted()).toEqual([...known].sort());
  });

  it('takes every task of the tabletop world that one can train on', () => {
    const trained = worldTasks.filter((task) => task !== 'pope' && task !== 'amber');
    expect(rows.get('stages.<stage>.data.<n>.task')?.toSorted()).toEqual([...trained].sort());
  });
});
