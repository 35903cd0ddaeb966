import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { askedOf, chatServer, says } from '../../test/support/chat-server.ts';
import { rejectionOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { makePairs } from './feedback.ts';
import { modelName } from './feedback-weights.ts';
import type { FeedbackResult } from './types.ts';

const root = scratchFolder();
process.env.TESSERA_CACHE = root.path('cache');
process.env.TESSERA_TEST_KEY = 'secret-key-5678';
afterAll(() => {
  delete process.env.TESSERA_CACHE;
  delete process.env.TESSERA_TEST_KEY;
});

const small = [
  'model.from=assets/tabletop-llava',
  'feedback.count=24',
  'feedback.data.0.scenes=30',
  'feedback.max_tokens=64',
];
const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
const make = (recipe: string, ...overrides: string[]) =>
  makePairs(loadPlan(`recipes/alignment/${recipe}.yaml`, [...small, ...overrides]), hooks);
const read = (result: FeedbackResult, name: string) => readFileSync(join(result.folder, name), 'utf8');

it('has several answers rated by a server, goes on after its budget, and counts every candidate once', async () => {
  const server = await chatServer((response, heard, n) => {
    if (n % 5 === 0) return void response.writeHead(429, { 'retry-after': '0' }).end();
    const answers = [...askedOf(heard).matchAll(/^Answer \d+: (.*)$/gm)].map(([, answer = '']) => answer);
    // The fewer words the better; and of some it says nothing that can be read.
    const rated = answers.map((answer) => ({
      helpfulness: { rating: `${Math.max(1, 5 - Math.floor(answer.split(' ').length / 12))}` },
    }));
    says(response, n % 7 === 0 ? 'I like them all.' : JSON.stringify({ answers: rated }));
  });
  const judge = (calls: number) =>
    `feedback.judge={kind: http, url: ${server.url}, model: judge, key_env: TESSERA_TEST_KEY, concurrency: 2, calls: ${calls}}`;
  const folder = `feedback.folder=${root.path('rated')}`;
  try {
    expect((await rejectionOf(make('silkie', folder, judge(20)))).code).toBe('feedback/budget');
    const result = await make('silkie', folder, judge(200));
    const { candidates, pairs, rejects, chosenLonger } = JSON.parse(read(result, 'feedback/report.json'));
    expect(candidates).toBe(24 * 6);
    const refused = Object.fromEntries(
      rejects.map(({ code, count }: { code: string; count: number }) => [code, count]),
    );
    expect(pairs + Object.values<number>(refused).reduce((a, b) => a + b, 0)).toBe(candidates);
    expect(refused['feedback/reply']).toBeGreaterThan(0);
    expect(pairs).toBeGreaterThan(20);
    expect(chosenLonger).toBeLessThan(0.2);
    // Each question is sent until it is answered, and then never again.
    const lines = read(result, 'feedback/transcripts.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ sent }) => sent)).toHaveLength(server.heard.length);
    const kept = lines.flatMap(({ of }) => of ?? []);
    expect(new Set(kept).size).toBe(kept.length);
    // One whose answers are all alike has nothing to be asked.
    expect(kept.length).toBeGreaterThan(20);
    const all = [
      'pairs.jsonl',
      'report.md',
      'feedback/settings.json',
      'feedback/answers.jsonl',
      'feedback/transcripts.jsonl',
    ];
    for (const file of all) expect(read(result, file)).not.toContain('secret-key');
    expect(read(result, 'feedback/settings.json')).not.toContain('TESSERA_TEST_KEY');
  } finally {
    await server.close();
  }
}, 300_000);

it('asks a model of this machine, and counts what it says in no words that can be read', async () => {
  const judge = 'feedback.judge={kind: model, from: assets/tabletop-llava, max_tokens: 40}';
  const few = ['feedback.count=4', `feedback.folder=${root.path('local')}`];
  const result = await make('rlhf-v', judge, ...few);
  const { candidates, pairs, rejects, judge: name } = JSON.parse(read(result, 'feedback/report.json'));
  expect([candidates, pairs, name]).toEqual([4, 0, 'assets/tabletop-llava']);
  const known = ['feedback/reply', 'feedback/reply-cut', 'feedback/cut', 'generate/too-long'];
  expect(known).toEqual(expect.arrayContaining(rejects.map(({ code }: { code: string }) => code)));
  expect(JSON.parse(read(result, 'feedback/settings.json')).judge.weights).toHaveProperty(
    'tabletop-llava/model.safetensors',
  );
}, 300_000);

it('needs the key that it is told of', async () => {
  const judge = 'feedback.judge={kind: http, url: http://127.0.0.1:9/v1, model: judge, key_env: TESSERA_NO_KEY}';
  const fault = await rejectionOf(make('rlhf-v', `feedback.folder=${root.path('keyless')}`, judge));
  expect([fault.code, fault.got]).toEqual(['feedback/no-key', 'TESSERA_NO_KEY']);
});

it('calls a model by no place of this machine', () => {
  expect(modelName({ from: '/home/ada/runs/llava', adapter: '/home/ada/mine' })).toBe('llava + mine');
  expect(modelName({ from: 'runs/llava' })).toBe('runs/llava');
});
