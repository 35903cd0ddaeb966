import { execFile } from 'node:child_process';
import type { Provider } from '../../../runtime/index.ts';
import type { Check } from './check.ts';
import { broken, good, lacking } from './check.ts';

const patience = 60_000;

/** ONNX Runtime puts the line of its own sources and the condition that failed before what it has to say. */
const sourcePlace = /\/\S+:\d+ .* was false\. /;

/** What a provider said, without the places in its sources. */
export const plainReason = (message: string): string => message.replace(sourcePlace, '').trim();

/** What a provider that was tried said. */
export type Trial =
  | { readonly works: true; readonly version: string; readonly threads: number }
  | { readonly works: false; readonly reason: string };

/** Tries a provider in a process of its own, which a broken driver may take down. */
export function tryApart(provider: Provider): Promise<Trial> {
  const args = [...process.execArgv, process.argv[1] as string, 'doctor', '--provider', provider.name, '--json'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: patience }, (error, out, err) => {
      resolve(error ? { works: false, reason: reasonOf(error, err) } : readTrial(out));
    });
  });
}

function readTrial(out: string): Trial {
  try {
    return { works: true, ...(JSON.parse(out) as { version: string; threads: number }) };
  } catch {
    return { works: false, reason: `answered ${out.slice(0, 80)}` };
  }
}

function reasonOf({ killed, signal, code }: { killed?: boolean; signal?: string | null; code?: unknown }, err: string) {
  if (killed) return `gave no answer within ${patience / 1000} seconds`;
  if (signal) return `took its process down (${signal})`;
  try {
    const { error } = JSON.parse(err.trim().split('\n').at(-1) ?? '') as { error: { message: string } };
    return plainReason(error.message);
  } catch {
    return `ended with code ${code}: ${err.trim().slice(-200)}`;
  }
}

/** A line for every provider, none of which is needed alone, and one for the engine that results. */
export function providerChecks(trials: readonly { readonly provider: Provider; readonly trial: Trial }[]): Check[] {
  const lines = trials.map(({ provider: { name, describe, remedy }, trial }) =>
    trial.works ? good(name, `${describe}: computes rightly`) : lacking(name, `${describe}: ${trial.reason}`, remedy),
  );
  const engines = trials.filter(({ provider }) => provider.name !== 'wasm');
  return [...lines, engineCheck(new Map(engines.map(({ provider, trial }) => [provider.name, trial])))];
}

/** Which way `auto` takes, and why; of the ways that commands can take. */
function engineCheck(trials: ReadonlyMap<string, Trial>): Check {
  const forced = process.env.TESSERA_ENGINE;
  const native = trials.get('c-api');
  const [chosen, why] = forced
    ? [forced, 'because TESSERA_ENGINE names it']
    : native?.works
      ? ['c-api', 'the fastest way on a processor']
      : ['binding', `slower, because the C API does not work: ${native?.reason}`];
  const trial = trials.get(chosen);
  if (!trial) return broken('engine', `TESSERA_ENGINE=${forced} names none`, `take ${[...trials.keys()].join(', ')}`);
  if (!trial.works)
    return broken('engine', `${chosen}, ${why}: ${trial.reason}`, 'run npm ci again, or unset TESSERA_ENGINE');
  return good('engine', `ONNX Runtime ${trial.version} by ${chosen}, ${why}; ${trial.threads} threads`);
}
