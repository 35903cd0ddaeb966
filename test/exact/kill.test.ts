import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { kinds, writeKind } from './kinds.ts';
import { differences, killedRun, leftBy, randomMoments, straightRun, training } from './run.ts';

const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tessera-kill-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A sample of what `scripts/kill-and-resume.ts` does at length. */
it.each(kinds)(
  'a training of kind %s that is killed again and again ends with the same bytes',
  async (kind) => {
    const cache = join(root, 'cache');
    const recipe = await writeKind(root, kind, { steps: 8, threads: 1 });
    const [straight, killed] = [join(root, `${kind}-straight`), join(root, `${kind}-killed`)];
    const events = await straightRun(training(recipe, straight), cache, `${straight}.counts.json`);
    const some = randomMoments(kinds.indexOf(kind), events, 10);
    const moments = Array.from({ length: 4 }, () => some.next().value);
    expect(await killedRun(training(recipe, killed), cache, moments)).toEqual(moments);
    expect(differences(straight, killed)).toEqual([]);
    const paths = [...leftBy(straight).keys()].join('\n');
    for (const file of ['metrics.jsonl', 'model/model.safetensors', '-0000008/optimizer.safetensors']) {
      expect(paths).toContain(file);
    }
  },
  600_000,
);
