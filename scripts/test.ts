// `npm test`: the checks, quick ones first, then the tests. Every step runs, so that one run shows every fault.
// `npm test -- src/data` hands what follows to vitest.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const checks = [
  { name: 'tables of the README', command: 'tsx scripts/readme-tables.ts --check' },
  { name: 'lint and format', command: 'biome check .' },
  { name: 'types', command: 'tsc --noEmit' },
  { name: 'unused files, exports and packages', command: 'knip --no-progress' },
  { name: 'build', command: 'node scripts/build.mjs' },
  { name: 'the built command', command: 'node bin/tessera.js doctor' },
];

interface Count {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

const results = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

const counts = [...checks.map(check), tests(process.argv.slice(2))];
const all = (key: keyof Count) => counts.flatMap((count) => count[key]);

for (const name of all('skipped')) console.log(`skipped: ${name}`);
for (const name of all('failed')) console.log(`failed: ${name}`);
console.log(`\n${all('passed').length} passed, ${all('failed').length} failed`);
process.exitCode = all('failed').length > 0 ? 1 : 0;

function check({ name, command }: (typeof checks)[number]): Count {
  const failed = run(name, command) !== 0;
  return { passed: failed ? [] : [name], failed: failed ? [name] : [], skipped: [] };
}

/** Says what runs, runs it, and returns its exit code. */
function run(name: string, command: string, args: readonly string[] = []): number {
  console.log(`\n== ${name}: ${[command, ...args].join(' ')}`);
  const [program = '', ...rest] = command.split(' ');
  const windows = process.platform === 'win32';
  const { status, error } = spawnSync(program, [...rest, ...args], { stdio: 'inherit', shell: windows });
  if (error) console.log(error.message);
  return status ?? 1;
}

function tests(args: readonly string[]): Count {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  try {
    const file = join(folder, 'results.json');
    const code = run('tests', 'vitest run --reporter=default --reporter=json', [`--outputFile.json=${file}`, ...args]);
    const count = existsSync(file) ? read(file) : { passed: [], failed: [], skipped: [] };
    // A fault outside of any test, such as a rejection that nothing awaits, is told by the exit code alone.
    return code === 0 || count.failed.length > 0 ? count : { ...count, failed: [`vitest ended with ${code}`] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function read(file: string): Count {
  const files = results.parse(JSON.parse(readFileSync(file, 'utf8'))).testResults;
  const tested = files.flatMap((each) => each.assertionResults);
  const named = (wanted: (status: string) => boolean) =>
    tested.filter(({ status }) => wanted(status)).map(({ fullName }) => fullName);
  // A file that does not load has no test to fail.
  const broken = files.filter(
    (each) => each.status === 'failed' && !each.assertionResults.some(({ status }) => status === 'failed'),
  );
  return {
    passed: named((status) => status === 'passed'),
    failed: [...named((status) => status === 'failed'), ...broken.map(({ name }) => name)],
    skipped: named((status) => status !== 'passed' && status !== 'failed'),
  };
}
