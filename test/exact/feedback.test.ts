import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { differences, killedRun, leftBy, makingPairs, randomMoments, straightRun } from './run.ts';

const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tessera-feedback-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A sample of what `scripts/kill-and-resume.ts` does at length. */
it('a pair set whose making is killed again and again ends with the same bytes', async () => {
  const [straight, killed] = [join(root, 'straight'), join(root, 'killed')];
  const cache = join(root, 'cache');
  const events = await straightRun(makingPairs(straight), cache, join(root, 'counts.json'));
  const some = randomMoments(2, events, 4);
  const moments = Array.from({ length: 4 }, () => some.next().value);
  expect(await killedRun(makingPairs(killed), cache, moments)).toEqual(moments);
  expect(differences(straight, killed)).toEqual([]);
  const left = leftBy(killed);
  expect([...left.keys()]).toEqual(
    expect.arrayContaining(['/pairs.jsonl', '/report.md', '/feedback/answers.jsonl', '/feedback/report.json']),
  );
  const { candidates, pairs, rejects } = JSON.parse(readFileSync(join(killed, 'feedback/report.json'), 'utf8'));
  expect(candidates).toBe(40);
  expect(pairs).toBeGreaterThan(5);
  expect(pairs + rejects.reduce((n: number, { count }: { count: number }) => n + count, 0)).toBe(candidates);
  expect(left.get('/pairs.jsonl')?.split('\n')).toHaveLength(pairs + 1);
}, 600_000);
