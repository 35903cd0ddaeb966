import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../../src/base/index.ts';
import { killableCommand } from '../support/built-command.ts';
import type { Event, Moment } from './preload.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Starts the command in a process of its own and waits for its end; undefined when it was killed. */
function tessera(
  args: readonly string[],
  settings: { readonly cache: string; readonly kill?: Moment; readonly count?: string },
): Promise<number | undefined> {
  const env = {
    ...process.env,
    TESSERA_CACHE: settings.cache,
    ...(settings.kill && { TESSERA_KILL: JSON.stringify(settings.kill) }),
    ...(settings.count && { TESSERA_COUNT: settings.count }),
  };
  // By their source maps, the events of checkpoints are told from other writes.
  const argv = ['--enable-source-maps', killableCommand, ...args];
  const child = spawn(process.execPath, argv, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(undefined);
      else if (code === 0) resolve(0);
      else reject(new Error(`tessera ${args.join(' ')} ended with ${code ?? signal}:\n${said}`));
    });
  });
}

/** The command that makes a folder, and the one that goes on with it. */
export interface Making {
  readonly start: readonly string[];
  readonly goOn: readonly string[];
  /** The file that is there once there is something to go on with. */
  readonly begun: string;
}

/** A training of a recipe. */
export function training(recipe: string, folder: string): Making {
  return {
    start: ['train', recipe, `output.folder=${folder}`, '--quiet'],
    goOn: ['resume', folder, '--quiet'],
    begun: join(folder, 'recipe.yaml'),
  };
}

/** A small pair set of corrected answers; the command that made it goes on with it. */
export function makingPairs(folder: string): Making {
  const start = [
    'feedback',
    'recipes/alignment/rlhf-v.yaml',
    'model.from=assets/tabletop-llava',
    'feedback.count=40',
    'feedback.max_tokens=64',
    'feedback.data.0.scenes=60',
    'feedback.judge.noise=0.1',
    `feedback.folder=${folder}`,
    '--quiet',
  ];
  return { start, goOn: start, begun: folder };
}

/** The events of a making that is left alone; the file is for the counts. */
export async function straightRun(making: Making, cache: string, count: string): Promise<Record<Event, number>> {
  await tessera(making.start, { cache, count });
  return JSON.parse(readFileSync(count, 'utf8'));
}

/** Makes, is killed at each moment in turn and goes on, until all is over; the moments that came. */
export async function killedRun(
  { start, goOn, begun }: Making,
  cache: string,
  moments: Iterable<Moment>,
): Promise<Moment[]> {
  const next = () => (existsSync(begun) ? goOn : start);
  const died: Moment[] = [];
  for (const kill of moments) {
    if ((await tessera(next(), { cache, kill })) === 0) return died;
    died.push(kill);
  }
  await tessera(next(), { cache });
  return died;
}

/**
 * Moments drawn at random, each kind of event equally often; none is so late in its process that nothing is gained.
 * @param processes that share the events of the run
 */
export function* randomMoments(seed: number, events: Record<Event, number>, processes: number): Generator<Moment> {
  const random = new Random(seed, 'moments');
  const kinds = (Object.keys(events) as Event[]).filter((event) => events[event] > 0);
  while (true) {
    for (const event of random.shuffle(kinds)) {
      const latest = Math.max(1, Math.ceil((2 * events[event]) / processes));
      yield { event, at: random.int(1, latest + 1), after: random.int(0, 12) };
    }
  }
}

/**
 * Every file that a run leaves for its user and its future, with the name of its folder taken out; not what tells of
 * hours and seconds.
 */
export function leftBy(folder: string): Map<string, string> {
  const timed = /position|manifest|result|tensorboard/;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !timed.test(path));
  return new Map(
    paths.sort().map((path) => [path.slice(folder.length), readFileSync(path, 'latin1').replaceAll(folder, 'FOLDER')]),
  );
}

/** Names of the files in which two runs differ. */
export function differences(a: string, b: string): string[] {
  const [left, right] = [leftBy(a), leftBy(b)];
  return [...new Set([...left.keys(), ...right.keys()])].filter((path) => left.get(path) !== right.get(path));
}
