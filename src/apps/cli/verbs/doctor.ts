import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Log } from '../../../base/index.ts';
import { asTesseraError } from '../../../base/index.ts';
import { exitCodes, Stopped } from '../session.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

interface Check {
  readonly name: string;
  readonly value: string;
  /** What is wrong and what to do about it. */
  readonly fault?: string;
}

const packages = ['onnxruntime-node', 'koffi', 'sharp', '@huggingface/tokenizers'];
const oldestNode = [20, 19] as const;

export const doctorVerb: Verb = (session) =>
  new Command('doctor')
    .description('check that this machine can run tessera')
    .addHelpText('after', examples('doctor', 'doctor --json'))
    .action(async () => {
      const checks = [
        nodeCheck(),
        ...packages.map(packageCheck),
        ...machineChecks(),
        ...(await engineChecks(session.log)),
      ];
      session.result(checks, () =>
        table(
          ['what', 'found', 'remedy'].map((title) => ({ title })),
          checks.map(({ name, value, fault }) => [name, value, fault ?? '']),
        ),
      );
      if (checks.some(({ fault }) => fault !== undefined)) throw new Stopped(exitCodes.fault);
    });

function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  return {
    name: 'node',
    value: process.versions.node,
    ...(old && { fault: `install Node ${oldestNode.join('.')} or newer` }),
  };
}

function packageCheck(name: string): Check {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path));
  if (!file) return { name, value: 'not installed', fault: 'run npm ci' };
  return { name, value: (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version };
}

function machineChecks(): Check[] {
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    { name: 'platform', value: `${process.platform} ${process.arch}` },
    { name: 'processor', value: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores` },
    { name: 'memory', value: `${gigabytes(freemem())} free of ${gigabytes(totalmem())}` },
  ];
}

async function engineChecks(log: Log): Promise<Check[]> {
  const { probeEngine } = await import('../../../recipe/index.ts');
  try {
    const { name, version, threads } = await probeEngine(log);
    const way = name === 'c-api' ? 'C API' : 'npm binding, slower';
    return [
      { name: 'engine', value: `ONNX Runtime ${version} by its ${way}, ${threads} threads` },
      { name: 'cuda', value: 'not used: npm ci leaves the CUDA libraries out' },
    ];
  } catch (error) {
    const fault = asTesseraError(error, { code: 'doctor/engine', remedy: 'run npm ci again' });
    return [{ name: 'engine', value: fault.message, fault: fault.remedy ?? 'see the message' }];
  }
}
