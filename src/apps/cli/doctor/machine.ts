import { accessSync, constants, statfsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Check } from './check.ts';
import { broken, good, lacking } from './check.ts';
import { chromiumRemedy, findChromium } from './chromium.ts';

const oldestNode = [20, 19] as const;

/** Below these a small model still trains, but not comfortably. */
const comfortable = { memory: 2 * 2 ** 30, disk: 2 * 2 ** 30 };

/** The machine: what it is, and how much of it there is for this process. */
export function machineChecks(): Check[] {
  return [node(), platform(), processor(), memory(), disk(), browser()];
}

function node(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  if (!old) return good('node', process.versions.node);
  return broken('node', process.versions.node, `install Node ${oldestNode.join('.')} or newer`);
}

function platform(): Check {
  const found = `${process.platform} ${process.arch}`;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  if (process.platform !== 'linux') return good('platform', found);
  if (header.glibcVersionRuntime) return good('platform', `${found}, glibc ${header.glibcVersionRuntime}`);
  return broken(
    'platform',
    `${found} without glibc`,
    'ONNX Runtime needs glibc: take a Debian image in the place of Alpine',
  );
}

function processor(): Check {
  return good('processor', `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads`);
}

/** What is left of the machine's memory, or of the container's. */
function memory(): Check {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const free = Math.min(process.availableMemory(), total);
  const found = `${gibibytes(free)} free of ${gibibytes(total)}`;
  if (free >= comfortable.memory) return good('memory', found);
  return lacking(
    'memory',
    found,
    'close other programs, or train with a smaller train.batch and more train.accumulate',
  );
}

/** Where runs and worlds are written: below the current folder. */
function disk(): Check {
  const { bavail, bsize } = statfsSync('.');
  const found = `${gibibytes(bavail * bsize)} free in ${process.cwd()}`;
  try {
    accessSync('.', constants.W_OK);
  } catch {
    return broken('disk', `${process.cwd()} cannot be written`, 'change to a folder of yours, or set output.folder');
  }
  if (bavail * bsize >= comfortable.disk) return good('disk', found);
  return lacking('disk', found, 'make room, or set output.folder and TESSERA_CACHE to another disk');
}

/** Only the tests of the browser build want one. */
function browser(): Check {
  const { path, missing } = findChromium();
  if (path !== undefined) return good('chromium', path);
  return lacking('chromium', missing, `${chromiumRemedy}; only the browser tests need it`);
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
