import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fixture } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { parsePlan } from '../recipe/index.ts';
import type { StagePlan } from '../recipe/plan.ts';
import { inspectRows } from './inspect.ts';
import { buildParts } from './parts.ts';
import { checkPrompts } from './prompts.ts';
import { stageData } from './rows.ts';

const folder = scratchFolder();
const warnings: string[] = [];
const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
const hooks = { signal: new AbortController().signal, log, progress: () => {} };

const message = (role: string, content: string) => ({ role, content });
const asked = [message('user', 'is it red?'), message('assistant', 'it is red')];
const short = { messages: asked };
const long = { messages: [...asked, ...asked] };

function planIn(template: string, rows: readonly unknown[], more = {}) {
  const stage = {
    name: 'talk',
    objective: 'lm',
    trainable: ['**'],
    template,
    data: [{ source: 'files', path: folder.write('rows.json', rows) }],
    ...more,
  };
  const model = { architecture: 'llama', size: 'tiny', tokenizer: fixture('tokenize/tiny') };
  return parsePlan(
    stringify({ system: 'tabletop-lm', model, stages: [stage], train: { steps: 1, lr: 0.001 } }),
    'x.yaml',
  );
}

/** The supervised words of the rows of a stage. */
async function taught(template: string, rows: readonly unknown[], more = {}) {
  const plan = planIn(template, rows, more);
  const parts = await buildParts(plan, async () => []);
  const { samples } = await stageData(plan.stages[0] as StagePlan, parts, hooks);
  return samples.flat().map(({ ids, supervised }) => parts.tokenizer.decode(ids.filter((_, t) => supervised[t] === 1)));
}

const family = (name: string) => fixture(`chat/families/${name}.jinja`);
const endless = folder.write('endless.jinja', '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}');
const half = readFileSync(family('qwen-1.5'), 'utf8').replaceAll('<|im_end|>', '</s>');
const inside = folder.write('inside.jinja', half);

describe('a stage in whose rows no answer ends', () => {
  it.each([
    ['the stock template of LLaVA-1.5', family('llava-1.5-hf'), [short, long]],
    ['a template without any end', endless, [short]],
    ['one that ends answers inside a conversation alone, in rows of one answer', inside, [short]],
  ])('is refused before it begins: %s', async (_, template, rows) => {
    await expect(taught(template, rows)).rejects.toMatchObject({
      code: 'data/no-end',
      path: expect.stringContaining('stages.talk.template'),
      remedy: expect.stringContaining('add_end=true'),
    });
  });

  it('teaches the end token when told to, and trains without when told so', async () => {
    expect(await taught(family('llava-1.5-hf'), [short], { add_end: true })).toEqual(['it is red</s>']);
    expect(await taught(family('llava-1.5-hf'), [short], { add_end: false })).toEqual(['it is red ']);
  });

  it('is no such stage where a row of several answers has an end, or the template a text of its own', async () => {
    expect(await taught(inside, [short, long])).toHaveLength(2);
    expect(await taught('plain', [short])).toHaveLength(1);
    expect(await taught('llava-v0', [short])).toHaveLength(1);
  });

  it.each(['\\n', ' ', '\\n\\n', '\u00a0'])(
    'is no such stage where white space is learned after the end: %j',
    async (space) => {
      const mine = `{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token + '${space}' }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}`;
      const [first] = await taught(folder.write('spaced.jinja', mine), [short]);
      expect(first?.startsWith('it is red</s>') && first.length > 'it is red</s>'.length).toBe(true);
      await expect(
        taught(folder.write('worded.jinja', mine.replace(`'${space}'`, "'over'")), [short]),
      ).rejects.toMatchObject({ code: 'data/no-end' });
    },
  );

  it('is told of where rows are looked at', async () => {
    await inspectRows(planIn(endless, [short]), { rows: 1, colour: false }, hooks);
    expect(warnings.at(-1)).toContain('add_end=true');
  });
});

it('templates of later stages are looked at before the first begins', async () => {
  const plan = planIn('llava-1.5', [short]);
  const parts = await buildParts(plan, async () => []);
  const [stage] = plan.stages as [StagePlan];
  const stages = ['vicuna', 'llava-1.5-hf'].map((name, i) => ({ ...stage, name: `${i}`, template: family(name) }));
  expect(() => checkPrompts([stage, ...stages, { ...stage, name: 'lost', template: 'gone.jinja' }], parts)).toThrow(
    expect.objectContaining({
      code: 'data/no-end',
      path: expect.stringContaining('stages.1'),
      others: [expect.objectContaining({ code: 'chat/template-name', got: 'gone.jinja' })],
    }),
  );
  expect(() => checkPrompts([stage, stages[0] as StagePlan], parts)).not.toThrow();
});

it('a template whose prompts end before what opens an answer is told of', async () => {
  await taught(family('chatml-unprompted'), [short], { add_end: true });
  expect(warnings.at(-1)).toContain('<|im_start|>assistant');
  const count = warnings.length;
  await taught(family('vicuna'), [short]);
  expect(warnings).toHaveLength(count);
});

it('a template that is no file and no built-in one is refused with the nearest', () => {
  expect(() => planIn('llava-v15', [short])).toThrow(expect.objectContaining({ remedy: 'did you mean llava-v1?' }));
});
