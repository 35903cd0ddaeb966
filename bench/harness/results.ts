import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform } from 'node:os';

const folder = new URL('../results/', import.meta.url);

/** Writes `bench/results/<name>.json` with a word on the machine; returns the path. */
export function writeResults(name: string, results: object): string {
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${name}.json`, folder);
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    platform: `${platform()} ${arch()}`,
    node: process.version,
    load: loadavg(),
  };
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), machine, ...results }, null, 2)}\n`);
  return file.pathname;
}
