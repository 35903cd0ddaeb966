import { describe, expect, it } from 'vitest';
import { aliases } from './aliases.ts';
import { applyOverrides, parseOverride } from './overrides.ts';

const recipe = {
  train: { lr: 0.1, batch: 8 },
  stages: [
    { name: 'align', lora: false, train: { lr: 0.2, steps: 10 } },
    { name: 'instruct', lora: { r: 4 }, train: { epochs: 1 } },
  ],
};
const overridden = (...texts: string[]) => applyOverrides(recipe, texts).data;
const codes = (...texts: string[]) => applyOverrides(recipe, texts).faults.map(({ code }) => code);

describe('parseOverride', () => {
  it.each([
    ['train.lr=1e-4', ['train', 'lr'], 1e-4],
    ['a.b=[x, y]', ['a', 'b'], ['x', 'y']],
    ['a={ r: 8 }', ['a'], { r: 8 }],
    ['a=text with = and spaces', ['a'], 'text with = and spaces'],
    ['a=false', ['a'], false],
    ['a=null', ['a'], null],
    ['a=**', ['a'], '**'],
    ['a=!lm_head.**', ['a'], '!lm_head.**'],
    ['a=pope,chair', ['a'], 'pope,chair'],
  ])('reads %s', (text, path, value) => {
    expect(parseOverride(text)).toMatchObject({ path, value });
  });

  it.each(['lr', '=3', 'a..b=3', 'a=[1', 'a={', 'a=&x [*x]', 'a=x: !!js/function y'])('refuses %s', (text) => {
    expect(parseOverride(text)).toMatchObject({ code: 'recipe/override', got: text });
  });
});

describe('applyOverrides with two words for one thing', () => {
  it('takes the recipe back, and refuses both on the command line', () => {
    expect(codes('train.steps=2')).toEqual([]);
    expect(codes('train.steps=2', 'train.epochs=null')).toEqual([]);
    expect(codes('train.steps=2', 'train.steps=3')).toEqual([]);
    expect(codes('train.steps=2', 'train.epochs=3')).toEqual(['recipe/conflict']);
    expect(codes('train.epochs=3', 'num_train_epochs=2', 'max_steps=2')).toEqual(['recipe/conflict']);
    expect(codes('stages.align.train.steps=2', 'stages.align.train.epochs=3')).toEqual(['recipe/conflict']);
    expect(codes('stages.align.train.steps=2', 'stages.instruct.train.epochs=3')).toEqual([]);
  });
});

describe('aliases', () => {
  it.each([
    ['learning_rate=1e-4', ['train', 'lr'], 1e-4],
    ['per_device_train_batch_size=2', ['train', 'batch'], 2],
    ['gradient_accumulation_steps=4', ['train', 'accumulate'], 4],
    ['num_train_epochs=3', ['train', 'epochs'], 3],
    ['cutoff_len=512', ['train', 'max_length'], 512],
    ['lr_scheduler_type=constant_with_warmup', ['train', 'schedule'], 'constant'],
    ['lora_rank=8', ['lora', 'r'], 8],
    ['lora_target=all', ['lora', 'targets'], 'all-linear'],
    ['model_name_or_path=x', ['model', 'from'], 'x'],
    ['train.learning_rate=1e-4', ['train', 'lr'], 1e-4],
    ['stages.align.train.max_steps=4', ['stages', 'align', 'train', 'steps'], 4],
    ['lora.lora_alpha=4', ['lora', 'alpha'], 4],
    ['stages.learning_rate.name=x', ['stages', 'learning_rate', 'name'], 'x'],
    ['model.lora_r=8', ['model', 'lora_r'], 8],
  ])('takes %s', (text, path, value) => {
    expect(parseOverride(text)).toMatchObject({ path, value });
  });

  it('says of other tools’ keys that have no place here what to do instead', () => {
    for (const [key, alias] of Object.entries(aliases).filter(([, alias]) => 'no' in alias)) {
      expect(parseOverride(`${key}=1`)).toMatchObject({ code: 'recipe/alias', remedy: 'no' in alias && alias.no });
    }
  });

  it('leaves keys alone that only end like an alias', () => {
    expect(parseOverride('train.warmup_ratio=0.1')).toMatchObject({ path: ['train', 'warmup_ratio'] });
  });
});

describe('applyOverrides', () => {
  it('sets train.x for every stage, whatever a stage says itself', () => {
    expect(overridden('train.lr=0.3')).toMatchObject({ train: { lr: 0.3 }, stages: [{ train: { steps: 10 } }, {}] });
    expect(JSON.stringify(overridden('train.lr=0.3'))).not.toContain('0.2');
  });

  it('sets stages.<name>.x for that stage alone, by name or by position', () => {
    expect(overridden('stages.instruct.train.lr=0.3')).toMatchObject({
      stages: [{ train: { lr: 0.2 } }, { train: { lr: 0.3 } }],
    });
    expect(overridden('stages.1.train.lr=0.3')).toEqual(overridden('stages.instruct.train.lr=0.3'));
  });

  it('lets steps and epochs stand for each other', () => {
    expect(overridden('train.steps=7')).toMatchObject({
      train: { steps: 7 },
      stages: [{ train: { lr: 0.2 } }, { train: {} }],
    });
    expect(JSON.stringify(overridden('train.steps=7'))).not.toContain('epochs');
    expect(overridden('stages.instruct.train.steps=7')).toMatchObject({ stages: [{}, { train: { steps: 7 } }] });
    expect(JSON.stringify(overridden('stages.instruct.train.steps=7'))).not.toContain('epochs');
  });

  it('lets model.from stand for all parts of a model', () => {
    const parts = { model: { architecture: 'llava', size: 'tiny', projector: 'mlp', vision: 'v', language: 'l' } };
    expect(applyOverrides(parts, ['model.from=x']).data).toEqual({ model: { architecture: 'llava', from: 'x' } });
  });

  it('gives adapters to every stage but those that refuse them', () => {
    expect(overridden('lora.r=16')).toMatchObject({ lora: { r: 16 }, stages: [{ lora: false }, { lora: {} }] });
    expect(overridden('stages.align.lora.r=16')).toMatchObject({ stages: [{ lora: { r: 16 } }, {}] });
  });

  it('takes a key out with null, and a later override wins', () => {
    expect(overridden('train.batch=null')).toMatchObject({ train: { lr: 0.1 } });
    expect(JSON.stringify(overridden('train.batch=null'))).not.toContain('batch');
    expect(overridden('train.batch=1', 'train.batch=2')).toMatchObject({ train: { batch: 2 } });
  });

  it('extends a list by one, and no further', () => {
    const list = { list: ['a'] };
    expect(applyOverrides(list, ['list.1=b']).data).toEqual({ list: ['a', 'b'] });
    expect(applyOverrides(list, ['list.3=b']).faults).toHaveLength(1);
  });

  it('reports every override that cannot be applied', () => {
    expect(codes('stages.instuct.x=1', 'train.lr.x=1', 'nonsense')).toEqual([
      'recipe/unknown-stage',
      'recipe/override',
      'recipe/override',
    ]);
  });

  it('leaves the recipe and every prototype as they were', () => {
    const before = structuredClone(recipe);
    overridden('train.lr=9', '__proto__.polluted=1', 'constructor.prototype.polluted=1');
    expect(recipe).toEqual(before);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
