import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/**
 * A disk that fails at one call. Every call of `node:fs` that can change a disk is counted, whoever makes it, so code
 * under test needs no seam and cannot go around one.
 *
 * - `ENOSPC` and `EIO`: the call throws; a write has put down half of its bytes.
 * - `short`: a write puts down half of its bytes and says so, as the system may; other calls work.
 * - `kill`: the call does half of its work, and from then on nothing reaches the disk: what SIGKILL leaves.
 * - `power`: as `kill`, and what was not synced is lost too: bytes of files, new names, renames.
 */
export type DiskFault = 'ENOSPC' | 'EIO' | 'short' | 'kill' | 'power';

const counted = [
  'openSync',
  'writeSync',
  'writeFileSync',
  'appendFileSync',
  'fsyncSync',
  'closeSync',
  'renameSync',
  'mkdirSync',
  'rmSync',
  'truncateSync',
  'ftruncateSync',
  'copyFileSync',
  'cpSync',
] as const;
type Name = (typeof counted)[number];
type Call = (...args: never[]) => unknown;
type Disk = Record<Name, Call>;

/** Thrown instead of ending the process. */
const death = 'the process is dead';

/**
 * Runs an action on a disk whose call number `at` (from 1) fails; without `at`, on a good one. Syncs are counted and
 * believed, not done, since thousands of them take minutes.
 * @returns the calls made, and what the action threw.
 */
export function withFailingDisk(
  action: () => void,
  fault?: DiskFault,
  at?: number,
): { calls: number; error?: unknown } {
  const disk = fs as unknown as Disk;
  const real = Object.fromEntries(counted.map((name) => [name, disk[name]])) as Disk;
  const good: Disk = { ...real, fsyncSync: () => undefined };
  const unsynced = new Unsynced();
  let calls = 0;
  let dead = false;
  for (const name of counted) {
    disk[name] = (...args: never[]) => {
      if (dead) throw new Error(death);
      calls++;
      if (calls !== at || fault === undefined) return unsynced.after(name, args, good[name](...args));
      if (fault === 'short') return name === 'writeSync' ? half(good, args) : good[name](...args);
      dead = fault === 'kill' || fault === 'power';
      doHalf(good, name, args, dead);
      throw dead ? new Error(death) : Object.assign(new Error(`${fault}: ${name}`), { code: fault });
    };
  }
  syncBuiltinESMExports();
  try {
    action();
    return { calls };
  } catch (error) {
    return { calls, error };
  } finally {
    Object.assign(disk, real);
    syncBuiltinESMExports();
    if (fault === 'power') unsynced.lose();
  }
}

/** A write of the first half of its bytes. */
function half(good: Disk, args: readonly unknown[]): unknown {
  const [fd, bytes, at, length] = args as unknown as [number, Uint8Array, number, number];
  return good.writeSync(...([fd, bytes, at, Math.ceil(length / 2)] as never[]));
}

/** What a call has done when it fails in its middle. */
function doHalf(good: Disk, name: Name, args: readonly unknown[], dead: boolean): void {
  if (name === 'writeSync') half(good, args);
  else if (name === 'appendFileSync' || name === 'writeFileSync') halfText(good[name], args);
  // A descriptor is gone whatever its close says; a dead process closes all.
  else if (name === 'closeSync') good.closeSync(...(args as never[]));
  else if (name === 'rmSync' && dead) removeOneFile(good, args[0] as string);
}

function halfText(write: Call, args: readonly unknown[]): void {
  const [path, text, ...options] = args as [string, string | Uint8Array, ...unknown[]];
  write(...([path, text.slice(0, Math.ceil(text.length / 2)), ...options] as never[]));
}

function removeOneFile(good: Disk, path: string): void {
  if (!fs.existsSync(path) || !fs.statSync(path).isDirectory()) return;
  const [first] = fs.readdirSync(path);
  if (first !== undefined) good.rmSync(...([join(path, first), { recursive: true }] as unknown as never[]));
}

/** What a disk has been told and has not been asked to keep. */
class Unsynced {
  readonly #opened = new Map<number, string>();
  readonly #contents = new Set<string>();
  /** New names, and for a renamed one the name before; in the order of the calls. */
  readonly #names = new Map<string, string | undefined>();

  after<T>(name: Name, args: readonly unknown[], result: T): T {
    const path = typeof args[0] === 'string' ? resolve(args[0]) : undefined;
    if (name === 'openSync' && path) this.#opened.set(result as number, path);
    if (name === 'openSync' && path && /[wa]/.test(String(args[1]))) this.#add(path);
    if (name === 'mkdirSync' && path) this.#made(path, args[1], result);
    if (name === 'fsyncSync') this.#sync(this.#opened.get(args[0] as number) as string);
    if (name === 'renameSync' && path) this.#rename(path, resolve(args[1] as string));
    return result;
  }

  /** A recursive mkdir tells the first folder that it made. */
  #made(path: string, options: unknown, first: unknown): void {
    const made = (options as fs.MakeDirectoryOptions | undefined)?.recursive ? first : path;
    if (typeof made === 'string') this.#names.set(resolve(made), undefined);
  }

  #add(path: string): void {
    this.#contents.add(path);
    this.#names.set(path, undefined);
  }

  #sync(path: string): void {
    this.#contents.delete(path);
    for (const name of [...this.#names.keys()]) if (dirname(name) === path) this.#names.delete(name);
  }

  #rename(from: string, to: string): void {
    const moved = (path: string) =>
      path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
    const contents = [...this.#contents].map(moved);
    const names = [...this.#names].map(([path, before]) => [moved(path), before] as const);
    this.#contents.clear();
    this.#names.clear();
    for (const path of contents) this.#contents.add(path);
    for (const [path, before] of names) this.#names.set(path, before);
    if (!this.#names.has(to)) this.#names.set(to, from);
  }

  /** The power goes off. */
  lose(): void {
    for (const path of this.#contents) if (fs.existsSync(path)) fs.truncateSync(path, 0);
    for (const [path, before] of [...this.#names].reverse()) {
      if (!fs.existsSync(path)) continue;
      if (before === undefined) fs.rmSync(path, { recursive: true });
      else if (!fs.existsSync(before)) fs.renameSync(path, before);
    }
  }
}
