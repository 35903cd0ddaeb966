import { describe, expect, it } from 'vitest';
import { formatFault, TesseraError } from '../base/index.ts';
import { loadPlan, parsePlan, recipeSchema } from './index.ts';
import { optionRows } from './option.ts';

const good = `
system: tabletop-lm
model: { architecture: llama, size: tiny, vocab_size: 512 }
stages:
  - name: text
    objective: lm
    trainable: ["**"]
    data: [{ source: tabletop, task: corpus, scenes: 10 }]
train: { steps: 5, lr: 1.0e-3 }
`;

/** All faults of a recipe, as a user sees them. */
function faultsIn(text: string, ...overrides: string[]): string {
  try {
    parsePlan(text, 'recipe.yaml', overrides);
  } catch (error) {
    if (error instanceof TesseraError) return [error, ...error.others].map(formatFault).join('\n');
    throw error;
  }
  return 'no fault';
}

function faultsOfPlan(name: string, ...overrides: string[]): unknown {
  try {
    return loadPlan(name, overrides);
  } catch (error) {
    return error instanceof TesseraError ? [error, ...error.others] : error;
  }
}

describe('parsePlan', () => {
  it('fills in every default', () => {
    const { stages, output } = parsePlan(good, 'x/tiny-text.yaml');
    expect(output).toEqual({ folder: 'runs/tiny-text', dtype: 'float32' });
    expect(stages[0]).toMatchObject({
      template: 'text',
      train: {
        length: { steps: 5 },
        batch: 8,
        accumulate: 1,
        betas: [0.9, 0.999],
        warmupRatio: 0.03,
        clip: 1,
        seed: 0,
      },
    });
  });

  it('says once and as it stands what is wrong with a number', () => {
    expect(faultsIn(good, 'train.lr=.nan')).toContain('got:      NaN');
    expect(faultsIn(good, 'train.lr=.inf')).toContain('got:      Infinity');
    expect(faultsIn(good, 'train.lr=0')).toContain('more than 0');
    expect(faultsIn(good, 'train.seed=1e30').match(/train\.seed/g)).toHaveLength(2);
    expect(faultsIn(good, 'train.seed=1e30').match(/recipe\/value/g)).toHaveLength(1);
  });

  it('prefers what a stage says to what the recipe says', () => {
    const [stage] = parsePlan(good, 'r.yaml', ['stages.text.train.epochs=2', 'stages.text.train.lr=1']).stages;
    expect(stage?.train).toMatchObject({ length: { epochs: 2 }, lr: 1 });
  });

  it('takes key names of other tools at the top', () => {
    const text = `${good.replace('train: { steps: 5, lr: 1.0e-3 }', 'num_train_epochs: 2\nlearning_rate: 5.0e-4')}`;
    expect(parsePlan(text, 'r.yaml').stages[0]?.train).toMatchObject({ length: { epochs: 2 }, lr: 5e-4 });
  });

  it('refuses options that its kind of rows has no use for', () => {
    const said = (data: string) => faultsIn(good.replace(/\{ source: tabletop[^}]*\}/, data));
    expect(said('{ source: tabletop, task: captions, scenes: 2, turns: [1, 2] }')).toContain(
      'turns means nothing for rows of captions',
    );
    expect(said('{ source: tabletop, task: corpus, scenes: 2, suffix: Now. }')).toContain('rows of vqa');
    expect(said('{ source: files, path: a.json, format: llava, annotations: b.json }')).toContain(
      'rows of vqa or auto',
    );
    for (const fit of [
      '{ source: tabletop, task: vqa, scenes: 2, suffix: Now. }',
      '{ source: tabletop, task: corpus, scenes: 2, turns: [1, 2] }',
      '{ source: files, path: a.json, annotations: b.json, image_name: "{id}.png" }',
    ]) {
      expect(said(fit), fit).toBe('no fault');
    }
  });

  it('fills in what an objective can be told, and refuses what it cannot', () => {
    const pairs = ['model.from=x', 'stages.prefer.data.0.path=x'];
    const lossOf = (...overrides: string[]) =>
      loadPlan('llava-1.5-preference', [...pairs, ...overrides]).stages[0]?.loss;
    expect(lossOf()).toEqual({ beta: 0.1 });
    expect(lossOf('stages.prefer.objective=ddpo')).toEqual({ beta: 0.1, gamma: 5, average: true });
    expect(lossOf('stages.prefer.objective=mdpo', 'stages.prefer.loss.anchored=false')).toEqual({
      beta: 0.1,
      delta: 0,
      conditional: true,
      anchored: false,
    });
    expect(() => lossOf('stages.prefer.loss.gamma=2')).toThrow('gamma means nothing for the objective dpo');
    expect(() => lossOf('stages.prefer.loss.beta=-1')).toThrow();
    expect(() => lossOf('stages.prefer.objective=ddpo', 'stages.prefer.loss.average=1')).toThrow();
  });

  it('tells all faults at once, each with its place and the nearest key', () => {
    const bad = good
      .replace('size: tiny', 'size: tinny')
      .replace('objective', 'objektive')
      .replace('task: corpus', 'task: 3')
      .replace('steps: 5', 'stesp: 5, batch: 0, betas: [0.9], lr_for: { a: x }');
    expect(faultsIn(bad)).toMatchSnapshot();
  });

  it('tells what keys alone cannot show', () => {
    expect(
      faultsIn(good, 'train.steps=null', 'train.lr=null', 'system=llavva', 'model.vocab_size=null'),
    ).toMatchSnapshot();
    expect(faultsIn(good, 'stages.text.objective=contrastive', 'stages.text.lora.alpha=8')).toMatchSnapshot();
    expect(faultsIn(good.replace('{ architecture: llama', '{ from: x, architecture: llama'))).toMatchSnapshot();
    expect(faultsIn(`${good}learning_rate: 1\nbf16: true\n`)).toMatchSnapshot();
  });

  it('tells where an override is wrong', () => {
    expect(faultsIn(good, 'train.lr=fast', 'stages.txt.name=x', 'eval.tasks=pope,chiar', 'lora=7')).toMatchSnapshot();
  });

  it.each([
    ['broken YAML', 'system: [a\nmodel: }'],
    ['a key twice', 'system: a\nsystem: b'],
    ['two documents', 'system: a\n---\nsystem: b'],
    ['an empty file', ''],
    ['a list', '- a'],
    ['an unknown tag', 'system: !!js/function x'],
    ['a merge key', `${good}<<: { system: x }\n`],
    ['a prototype', `${good}__proto__: { system: x }\n`],
  ])('refuses %s', (_, text) => {
    expect(faultsIn(text)).toMatchSnapshot();
  });

  it('refuses anchors that expand without end', () => {
    const bomb = Array.from({ length: 12 }, (_, i) => `k${i + 1}: &k${i + 1} [${`*k${i},`.repeat(9)}]`).join('\n');
    expect(faultsIn(`k0: &k0 [x]\n${bomb}`)).toContain('recipe/yaml');
  });

  it('refuses what nothing reads: a size beside the folders that have one', () => {
    expect(faultsOfPlan('llava', 'model.size=7b')).toMatchObject([
      { code: 'recipe/conflict', path: expect.stringContaining('model.size') },
    ]);
  });

  it('refuses evaluations that would fail once training is over', () => {
    expect(faultsIn(good, 'eval.tasks=pope')).toContain('a llama model cannot be put to pope [recipe/eval]');
    expect(faultsOfPlan('llava', 'eval.tasks=vqa,retrieval')).toMatchObject([
      { code: 'recipe/eval', expected: 'pope, chair, amber, vqa, few-shot, new-words' },
    ]);
    expect(faultsIn(good, 'eval.tasks=pope', 'eval=null')).toBe('no fault');
    for (const off of ['eval.tasks=[]', 'eval=false', 'eval=[]', 'feedback=false', 'feedback.data=[]']) {
      const remedy = expect.stringContaining(`${off.replace(/[.=].*/, '')}=null on the command line`);
      expect(faultsOfPlan('llava', off), off).toContainEqual(expect.objectContaining({ remedy }));
    }
    expect(faultsOfPlan('llava', 'eval.limit=1')).toMatchObject([{ code: 'recipe/eval', expected: 'at least 2' }]);
  });

  it('names the key that another tool calls by another name in a section', () => {
    const text = good.replace('lr: 1.0e-3', 'learning_rate: 1.0e-3');
    expect(faultsIn(text)).toContain('did you mean lr?');
  });

  it('tells the first faults of a text that is no recipe, and how many follow', () => {
    const told = faultsIn('`a\n: ]\n'.repeat(60)).split('\n');
    expect(told.filter((line) => line.includes('[recipe/yaml]'))).toHaveLength(11);
    expect(told.join()).toMatch(/\d+ more faults follow/);
  });

  it('finds recipes by name and suggests the nearest', () => {
    expect(loadPlan('llava').name).toBe('llava');
    expect(() => loadPlan('lava')).toThrow(
      expect.objectContaining({ code: 'recipe/not-found', remedy: 'did you mean llava?' }),
    );
    expect(() => loadPlan('stic')).toThrow(expect.objectContaining({ message: 'STIC has no recipe yet' }));
  });
});

describe('options', () => {
  it('all say what they are for', () => {
    const rows = optionRows(recipeSchema);
    expect(rows.length).toBeGreaterThan(60);
    expect(rows.filter(({ description }) => description === '')).toEqual([]);
    expect(rows.map(({ path }) => path)).toContain('stages.<stage>.data.<n>.images');
  });

  it('are called sections where they have keys below, and nowhere else', () => {
    const rows = optionRows(recipeSchema);
    const paths = rows.map(({ path }) => path);
    const named = rows.filter(({ type }) => /\bsection\b/.test(type)).map(({ path }) => path);
    expect(named).toContain('feedback.judge');
    expect(named.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)))).toEqual([]);
    expect(rows.find(({ path }) => path === 'feedback.judge.url')?.type).toBe('address');
  });
});

describe('hostile recipes', () => {
  const tower = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}x]`);
  it.each([
    ['a tower of aliases', ['a0: &a0 [x]', ...tower].join('\n')],
    ['an alias of itself', 'system: &a [*a]'],
    ['an alias of itself, many times', `system: &a [${'*a, '.repeat(50)}*a]`],
    ['brackets without end', `system: ${'['.repeat(100_000)}`],
    ['mappings without end', `system: ${'{a: '.repeat(50_000)}`],
    ['lists without end', `${'- '.repeat(50_000)}x`],
    ['a key twice', 'system: a\nsystem: b'],
    ['a prototype', '__proto__: { polluted: 1 }'],
    ['a constructor', 'constructor: { prototype: { polluted: 1 } }'],
    ['a number beyond float64', 'train: { steps: 1e999 }'],
    ['a list as key', '? [a, b]\n: c'],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(() => parsePlan(text, 'x.yaml')).toThrow(TesseraError);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
