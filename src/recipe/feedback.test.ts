import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codesOf, faultOf } from '../../test/support/faults.ts';
import { loadPlan, missingFeedbackInputs, missingInputs } from './index.ts';

const recipe = 'recipes/alignment/rlhf-v.yaml';
const plan = (...overrides: string[]) => loadPlan(recipe, overrides);

describe('the section feedback', () => {
  it('is filled in', () => {
    expect(loadPlan('recipes/alignment/silkie.yaml', ['feedback.judge.noise=0.2']).feedback).toEqual({
      from: 'runs/llava-eager/model',
      builder: 'aspect-scores',
      judge: { kind: 'oracle', noise: 0.2 },
      data: [{ source: 'tabletop', task: 'captions', split: 'train', scenes: 2000, seed: 13 }],
      prompts: ['Describe the image in detail.'],
      answers: 4,
      temperature: 1,
      topP: 1,
      maxTokens: 128,
      seed: 0,
      folder: 'runs/silkie-pairs',
    });
  });

  it.each([
    [['feedback.builder=aspect-scores'], 'recipe/feedback'],
    [['feedback.answers=2', 'feedback.temperature=0'], 'recipe/feedback'],
    [['feedback.data.0={source: files, path: rows.json}'], 'recipe/feedback'],
    [['feedback.data.0.turns=[1, 2]'], 'recipe/unused'],
  ])('with %j is refused: %s', (overrides, code) => {
    expect(codesOf(() => plan(...overrides))).toEqual([code]);
  });

  it('names the key that is out of range', () => {
    expect(faultOf(() => plan('feedback.judge.noise=2')).path).toContain('feedback.judge.noise');
    expect(faultOf(() => plan('feedback.judge.kind=friend')).path).toContain('feedback.judge.kind');
    const server = (more: string) => plan(`feedback.judge={kind: http, model: m, ${more}}`);
    expect(server('url: http://127.0.0.1:8000/v1').feedback?.judge).toEqual({
      kind: 'http',
      url: 'http://127.0.0.1:8000/v1',
      model: 'm',
      max_tokens: 1024,
      timeout: 120,
      retries: 5,
      concurrency: 4,
    });
    for (const address of ['ftp://a/v1', 'a', 'https://user:key@a/v1']) {
      expect(faultOf(() => server(`url: "${address}"`)).path).toContain('feedback.judge.url');
    }
    expect(faultOf(() => server('url: http://a/v1, key_env: sk-1234')).path).toContain('feedback.judge.key_env');
  });

  it('says how rows are made that its stages lack, and what it lacks itself', () => {
    const there = 'model.from=assets/tabletop-llava';
    const [fault] = missingInputs(plan(there, 'feedback.folder=none', 'stages.prefer.data.0.path=none/pairs.jsonl'));
    expect(fault?.remedy).toContain('tessera feedback');
    expect(missingFeedbackInputs(plan('feedback.from=nowhere')).map(({ path }) => path)).toEqual(['feedback.from']);
    expect(missingFeedbackInputs(plan(there))).toEqual([]);
  });

  it('says which recipe makes the model that it starts from', () => {
    const remedies = (from: string) => missingFeedbackInputs(plan(`model.from=${from}`)).map(({ remedy }) => remedy);
    const made = ['runs/llava-eager/model', 'runs/llava-dpo', 'runs/blip-2/'].filter((path) => !existsSync(path));
    expect(made.flatMap(remedies)).toEqual(made.map((path) => `make it with \`tessera train ${path.split('/')[1]}\``));
    expect(remedies('runs/of-my-own')).toEqual([undefined]);
  });
});
