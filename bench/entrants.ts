import { fileURLToPath } from 'node:url';
import { type Peer, type PeerCommand, startPeer } from './harness/peer.ts';
import { type DecoderConfig, optimizer } from './problem.ts';

export const entrantNames = ['tessera', 'tessera-binding', 'torch', 'torch-compiled', 'jax', 'tfjs'] as const;
export type EntrantName = (typeof entrantNames)[number];

/** What a runtime said of one step. */
export interface StepSample {
  readonly ms: number;
  /** Processor time of all its threads; less shaken by other programs than wall time. */
  readonly cpuMs: number;
  readonly loss: number;
  readonly [more: string]: unknown;
}

/** A runtime that takes part in the training-step bench. */
export interface Entrant {
  readonly name: string;
  readonly about: string;
  /** Set when the step is extrapolated from models of one and two layers. */
  readonly scaled: boolean;
  step(): Promise<StepSample>;
  matmul(sizes: readonly [number, number, number]): Promise<number>;
  stop(): void;
}

/** A first step longer than this leads to the shorter models. */
const PATIENCE_MS = 60_000;

/**
 * Starts a runtime and lets it warm up.
 * @param against folder of another checkout, for the runtime `tessera` alone.
 * @returns the runtime, or why it cannot take part.
 */
export async function enter(
  name: EntrantName,
  config: DecoderConfig,
  threads: number,
  against?: string,
): Promise<Entrant | string> {
  const peer = await startPeer(commandOf(name, config, threads, against));
  if (typeof peer === 'string') return peer;
  const first = await stepOf(peer);
  if (first.ms < PATIENCE_MS) {
    await stepOf(peer);
    return entrant(peer, false, () => stepOf(peer));
  }
  peer.stop();
  return enterScaled(name, config, threads);
}

/** Time grows by the same amount with every layer: `t(L) = t(1) + (L-1) (t(2) - t(1))`. */
async function enterScaled(name: EntrantName, config: DecoderConfig, threads: number): Promise<Entrant | string> {
  const one = await startPeer(commandOf(name, { ...config, layers: 1 }, threads));
  const two = await startPeer(commandOf(name, { ...config, layers: 2 }, threads));
  if (typeof one === 'string') return one;
  if (typeof two === 'string') return two;
  await stepOf(one);
  await stepOf(two);
  const grown = (a: number, b: number) => a + (config.layers - 1) * (b - a);
  const step = async () => {
    const [a, b] = [await stepOf(one), await stepOf(two)];
    return { ms: grown(a.ms, b.ms), cpuMs: grown(a.cpuMs, b.cpuMs), loss: Number.NaN };
  };
  const both = entrant(one, true, step);
  return { ...both, stop: () => [one, two].map((peer) => peer.stop()) };
}

function entrant(peer: Peer, scaled: boolean, step: () => Promise<StepSample>): Entrant {
  const { version, variant } = peer.about;
  return {
    name: peer.name,
    about: [version, variant].filter(Boolean).join(', '),
    scaled,
    step,
    matmul: async (matmul) => (await peer.ask({ matmul })).ms as number,
    stop: peer.stop,
  };
}

async function stepOf(peer: Peer): Promise<StepSample> {
  return (await peer.ask({ step: true })) as StepSample;
}

function commandOf(name: EntrantName, config: DecoderConfig, threads: number, against?: string): PeerCommand {
  const root = against ?? fileURLToPath(new URL('..', import.meta.url));
  const script = (file: string, ...more: unknown[]): PeerCommand => ({
    name: against ? `${name} in ${against}` : name,
    command: process.execPath,
    args: ['--import', 'tsx', `bench/peers/${file}`, JSON.stringify([config, threads, ...more])],
    cwd: root,
  });
  switch (name) {
    case 'tessera':
      return script('tessera.ts', 'c-api');
    case 'tessera-binding':
      return script('tessera.ts', 'binding');
    case 'tfjs':
      return script('tfjs.mjs');
    case 'jax':
      return script('jax.mjs');
    case 'torch':
    case 'torch-compiled': {
      const args = [
        'bench/peers/torch_step.py',
        JSON.stringify([config, threads, optimizer, name === 'torch-compiled']),
      ];
      return { name, command: process.env.TESSERA_PYTHON ?? 'python3', args, cwd: root };
    }
  }
}
