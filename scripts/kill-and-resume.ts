// Kills real training processes at random moments (SIGKILL), goes on with `tessera resume`, and compares every file of
// the run with those of a run that was left alone: weights, moments, metrics, samples, the model and its adapters.
// npx tsx scripts/kill-and-resume.ts [moments of each kind of stage] [seed]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kinds, writeKind } from '../test/exact/kinds.ts';
import type { Moment } from '../test/exact/preload.ts';
import {
  differences,
  killedRun,
  type Making,
  makingPairs,
  randomMoments,
  straightRun,
  training,
} from '../test/exact/run.ts';
import { rebuild } from '../test/support/built-command.ts';

const [wanted = 20, seed = 1] = process.argv.slice(2).map(Number);
const root = mkdtempSync(join(tmpdir(), 'tessera-kill-'));
const cache = join(root, 'cache');
try {
  await rebuild();
  for (const kind of kinds) {
    const recipe = await writeKind(root, kind, { steps: 24, threads: 1 });
    await kill(kind, (folder) => training(recipe, folder));
  }
  await kill('feedback', makingPairs);
} finally {
  rmSync(root, { recursive: true });
}

async function kill(kind: string, making: (folder: string) => Making): Promise<void> {
  const straight = join(root, `${kind}-straight`);
  const events = await straightRun(making(straight), cache, `${straight}.counts.json`);
  const moments = randomMoments(seed, events, wanted);
  const died: Moment[] = [];
  for (let run = 0; died.length < wanted; run++) {
    const next = Array.from({ length: wanted - died.length }, () => moments.next().value as Moment);
    const killed = join(root, `${kind}-killed-${run}`);
    died.push(...(await killedRun(making(killed), cache, next)));
    const different = differences(straight, killed);
    if (different.length > 0) process.exitCode = 1;
    for (const path of different) console.log(`${kind}, run ${run}: ${path} differs`);
  }
  const times = Object.keys(events).map((event) => `${event} ${died.filter((each) => each.event === event).length}`);
  console.log(`${kind}: killed ${died.length} times (${times.join(', ')}), then compared`);
}
