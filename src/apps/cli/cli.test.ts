import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { writeLlava } from '../../../test/end-to-end/material.ts';
import { builtCommand } from '../../../test/support/built-command.ts';
import { taskNames } from '../../eval/index.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tessera-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs a command line as a user does, in a process of its own. */
function tessera(...args: string[]): Promise<Ended> {
  return ended(start(...args));
}

function start(...args: string[]) {
  return startIn(root, ...args);
}

function startIn(cwd: string, ...args: string[]) {
  // As one who has it installed: npm, which may have started the tests, says otherwise.
  const env = { ...process.env, TESSERA_CACHE: join(folder, 'cache'), npm_command: undefined };
  return spawn(process.execPath, [builtCommand, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

function ended(child: ReturnType<typeof start>): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

/** A recipe that trains a small language model on a few scenes. */
function fewScenes(): string {
  const file = join(folder, 'few.yaml');
  const stage = '{ name: text, objective: lm, trainable: "**", data: [{ source: tabletop, task: corpus, scenes: 4 }] }';
  const model = '{ architecture: llama, size: tiny, vocab_size: 400 }';
  writeFileSync(file, `system: tabletop-lm\nmodel: ${model}\nstages: [${stage}]\ntrain: { batch: 2, lr: 1.0e-3 }\n`);
  return file;
}

describe('tessera', () => {
  it('helps with every verb, each with an example', async () => {
    const { code, out } = await tessera('--help');
    expect(code).toBe(0);
    const groups = out.split(/^(?=[A-Z])/m).slice(3, 6);
    const verbs = groups.flatMap((group) =>
      [...group.matchAll(/^ {2}([a-z]+) +[a-z]/gm)].map(([, verb]) => verb as string),
    );
    expect(verbs.join(' ')).toBe(
      'demo recipes doctor help data feedback train resume runs grid chat generate score retrieve eval export',
    );
    const deeper = ['recipes show', 'recipes copy', 'runs compare', 'data inspect', 'data report', 'data make-world'];
    expect(await tessera('help', '--help')).toEqual({ code, out, err: '' });
    expect((await tessera('help', '--bogus')).err.match(/unknown option/g)).toHaveLength(1);
    const lines = [...verbs.filter((verb) => verb !== 'help'), ...deeper];
    const helps = await Promise.all(lines.map((line) => tessera(...line.split(' '), '--help')));
    const [last, ...others] = taskNames().reverse();
    const task = expect.stringContaining(`some of ${others.reverse().join(', ')} and ${last}`);
    expect(helps[lines.indexOf('eval')]?.out.replace(/\s+/g, ' ')).toEqual(task);
    for (const help of [{ code, out, err: '' }, ...helps]) {
      expect(help).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/Examples?:\n {2}\$ tessera /) });
      expect(help.out).toContain('--json');
      // It fits a terminal of 80 columns, with words whole.
      expect(help.out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
    expect(out.match(/\[options\]/g)).toHaveLength(1);
  });

  it('takes a template and a system message wherever a model is asked', async () => {
    const model = join(folder, 'llava');
    writeLlava(model);
    const template = fileURLToPath(new URL('../../../test/fixtures/chat/families/vicuna.jinja', import.meta.url));
    const said = ['--prompt', 'What?', '--template', template, '--system', 'Be brief.', '--json'];
    const answer = await tessera('generate', model, ...said, '--max-tokens', '2');
    expect(JSON.parse(answer.out)).toMatchObject({ tokens: 2 });
    const own = await tessera('generate', model, '--prompt', 'What?', '--json', '--max-tokens', '2');
    expect(JSON.parse(own.out).promptTokens).not.toBe(JSON.parse(answer.out).promptTokens);
    const scored = await tessera('score', model, ...said, '--answer', 'a cube');
    expect(JSON.parse(scored.out).tokens.at(-1).text).toBe('</s>');
    for (const verb of [['generate'], ['chat'], ['score', '--answer', 'x'], ['eval', '--limit', '2']]) {
      const prompt = verb[0] === 'eval' ? [] : ['--prompt', 'What?'];
      const refused = await tessera(...verb, model, ...prompt, '--template', 'vicunna', '--json');
      expect(JSON.parse(refused.err.split('\n').find((line) => line.startsWith('{')) as string)).toMatchObject({
        error: { code: 'chat/template-name', got: 'vicunna' },
      });
    }
    const dropped = await tessera('generate', model, '--prompt', 'What?', '--template', 'plain');
    expect(dropped).toMatchObject({ code: 1, err: expect.stringContaining('leaves out what the user says') });
  }, 120_000);

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(await tessera('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  it('lists the thirty systems and the backbones', async () => {
    const { code, out } = await tessera('recipes');
    expect(code).toBe(0);
    expect(out).toMatchSnapshot();
    const rows = JSON.parse((await tessera('recipes', '--json')).out);
    expect(rows).toHaveLength(33);
    expect(rows[3]).toMatchObject({ name: 'llava', status: 'working', cite: 'arXiv:2304.08485' });
  });

  it('shows what holds where an option is left out', async () => {
    const rows: { path: string; default?: string }[] = JSON.parse((await tessera('recipes', 'options', '--json')).out);
    const defaults = Object.fromEntries(rows.map((row) => [row.path, row.default]));
    expect(defaults).toMatchObject({
      'train.batch': '8',
      'stages.<stage>.train.warmup_ratio': '0.03',
      'train.betas': '0.9, 0.999',
      'lora.targets': 'all-linear',
      'stages.<stage>.template': 'text',
      'output.dtype': 'float32',
      'stages.<stage>.data': 'required',
    });
    expect(defaults['train.lr']).toBeUndefined();
    expect((await tessera('recipes', 'options')).out).toMatch(/^train\.batch: integer \(default 8\)$/m);
  });

  it('copies a recipe out, and never over a file', async () => {
    const file = join(folder, 'mine.yaml');
    expect(await tessera('recipes', 'copy', 'llava', file)).toMatchObject({ code: 0 });
    const text = readFileSync(file, 'utf8');
    expect(text).toBe(readFileSync(join(root, 'recipes/projection/llava.yaml'), 'utf8'));
    const again = await tessera('recipes', 'copy', 'llava-1.5', file);
    expect(again).toMatchObject({ code: 1, out: '', err: expect.stringContaining('cli/exists') });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('shows the plan of a recipe and its memory without training', async () => {
    const { code, out } = await tessera('train', fewScenes(), 'train.steps=7', '--dry-run', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      recipe: { stages: [{ name: 'text', train: { steps: 7, batch: 2 } }] },
      memory: [
        {
          stage: 'text',
          memory: { largest: { B: 1 }, atOnce: 2, peak: expect.any(Number) },
          time: { steps: 7, timed: expect.any(Number), perStep: expect.any(Number) },
        },
      ],
    });
    const [{ time }] = JSON.parse(out).memory;
    expect(time.perStep).toBeGreaterThan(0);
    expect(time.timed).toBeGreaterThan(0);
    const said = await tessera('train', fewScenes(), 'train.epochs=1', '--dry-run');
    expect(said.out).toMatch(/ time {2}(about|at most) .* s a step \(timed here and now on [1-4]\)/);
    expect(said.out).toContain('1 epoch  ');
  });

  it('tells a faulty recipe from a faulty command line', async () => {
    const fault = await tessera('train', 'llava', 'train.step=3', 'train.btach=2');
    expect(fault).toMatchObject({ code: 1, out: '' });
    expect(fault.err).toMatchSnapshot();
    const usage = await tessera('trian', 'llava');
    expect(usage).toMatchObject({ code: 2, out: '' });
    expect(usage.err).toMatchSnapshot();
  });

  it('names what is wrong with folders, recipes and overrides, and leaves what is there as it is', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    const below = join(file, 'below');
    const lines = [
      ['train', 'llava', 'modl.size=tiny'],
      ['train', 'llava-1.5-lora'],
      ['train', 'tabletop-lm', 'train.steps=1', `output.folder=${below}`],
      ['data', 'make-world', '--count', '1', '--out', below],
      ['recipes', 'copy', 'llava', below],
      ['eval', folder],
      ['export', folder, '--to', 'hf', '--out', below],
      ['resume', join(folder, 'nothing')],
    ];
    const ends = await Promise.all(lines.map((line) => tessera(...line)));
    const said = ends.map(({ err }, i) => `$ tessera ${lines[i]?.join(' ')}\n${err}`).join('\n');
    expect(ends.map(({ code, out }) => [code, out])).toEqual(ends.map(() => [1, '']));
    expect(said.replaceAll(folder, 'FOLDER')).toMatchSnapshot();
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  it('ends with an error code when the report of the data shows that no row is left', async () => {
    const [some, none] = [
      await tessera('data', 'report', fewScenes(), 'train.steps=1'),
      await tessera('data', 'report', fewScenes(), 'train.steps=1', 'train.max_length=1'),
    ];
    expect([some.code, none.code]).toEqual([0, 1]);
    expect(none.out).toContain('row/too-long');
  });

  it('writes a world of few scenes, with as many questions as they allow', async () => {
    const { code, out } = await tessera('data', 'make-world', '--count', '2', '--out', join(folder, 'few'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).files).toMatchObject({ 'scenes.jsonl': 2, 'pope_random.jsonl': 0, 'vqa_questions.json': 6 });
  });

  it('reports faults as JSON when asked to', async () => {
    const usage = await tessera('eval', 'runs/x', '--limit', '0', '--json');
    expect(usage).toMatchObject({ code: 2, out: '' });
    expect(JSON.parse(usage.err).error).toMatchObject({ code: 'cli/usage' });
    const fault = await tessera('train', 'lava', '--json');
    expect(fault).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(fault.err).error).toMatchObject({ code: 'recipe/not-found', remedy: 'did you mean llava?' });
  });

  it.each([
    ['help trian', 'Did you mean train?'],
    ['recipes help shw', 'Did you mean show?'],
    ['recipes shw llava', 'Did you mean show?'],
    ['runs comapre a b', 'Did you mean compare?'],
    ['eval runs/x --tasks ,', 'expected words between commas'],
    ['eval runs/x --tasks pope,vqa,pope', 'pope is named twice'],
  ])('refuses `%s`', async (line, said) => {
    const { code, out, err } = await tessera(...line.split(' '));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(said);
  });

  it('tells which images cannot be shown before it loads a model', async () => {
    const { code, err } = await tessera(...'generate no-model --prompt x --image a.jpg --image b.jpg'.split(' '));
    expect(code).toBe(1);
    expect(err.match(/image\/missing/g)).toHaveLength(2);
    expect(err).not.toContain('no-model');
  });

  it('takes a command line of a million characters', async () => {
    const words = Array.from({ length: 20 }, () => 'a'.repeat(50_000));
    const { code, err } = await tessera(
      'generate',
      'no-model',
      '--prompt',
      'x',
      ...words.flatMap((word) => ['--stop', word]),
    );
    expect(code).toBe(1);
    expect(err).toContain('no-model');
  });

  it('is quiet about a reader that has seen enough', async () => {
    const child = start('recipes', 'options');
    child.stdout.destroy();
    expect(await ended(child)).toEqual({ code: 0, out: '', err: '' });
  });

  it.skipIf(!existsSync('/dev/full'))('says that a result could not be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [builtCommand, 'recipes'], { stdio: ['ignore', full, 'pipe'] });
    let err = '';
    child.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(1);
    closeSync(full);
    expect(err).toMatch(
      /^error: the result could not be written to standard output \[cli\/output\]\n {2}got: .*\n {2}remedy: .*\n$/,
    );
  });

  it('says calmly how to go on with a training that was stopped before its first step', async () => {
    const run = join(folder, 'early');
    const child = start('train', 'llava', `output.folder=${run}`);
    const end = ended(child);
    child.stderr.once('data', () => child.kill('SIGINT'));
    const { code, err } = await end;
    expect(code).toBe(130);
    expect(err).toContain(`stopped; go on with: tessera resume ${run}\n`);
    expect(err).not.toContain('error');
  });

  it('saves a training at Ctrl-C though nobody reads its progress any more', async () => {
    const run = join(folder, 'unread');
    const child = start('train', fewScenes(), 'train.steps=100000', `output.folder=${run}`);
    child.stderr.on('data', (chunk) => {
      if (!`${chunk}`.includes('stage text  1/')) return;
      child.stderr.destroy();
      child.kill('SIGINT');
    });
    expect(await ended(child)).toMatchObject({ code: 130, out: expect.stringContaining('stopped and saved') });
    expect(readdirSync(join(run, 'checkpoints'))).toHaveLength(1);
    expect(readdirSync(run)).not.toContain('running.json');
  });

  it.each([
    ['SIGHUP', 129],
    ['SIGTERM', 143],
  ] as const)('saves a training at %s, and says so with its exit code', async (signal, code) => {
    const run = join(folder, signal);
    const child = start('train', fewScenes(), 'train.steps=100000', `output.folder=${run}`);
    child.stderr.on('data', (chunk) => void (`${chunk}`.includes('stage text  1/') && child.kill(signal)));
    expect(await ended(child)).toMatchObject({ code, out: expect.stringContaining('stopped and saved') });
    expect(readdirSync(join(run, 'checkpoints'))).toHaveLength(1);
  });

  it('refuses a conversation without a terminal', async () => {
    const { code, err } = await tessera('chat', 'runs/x');
    expect(code).toBe(1);
    expect(err).toContain('cli/no-terminal');
  });

  it('stops at Ctrl-C, says so with its exit code, and leaves nothing half done', async () => {
    const child = start('data', 'make-world', '--count', '100000', '--out', join(folder, 'world'));
    const end = ended(child);
    child.stderr.once('data', () => child.kill('SIGINT'));
    const { code, out, err } = await end;
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(err).toContain('press Ctrl-C again');
    expect(err).not.toContain('error');
    expect(readdirSync(folder).filter((name) => name.startsWith('world'))).toEqual([]);
  });
});
