import { type Command, InvalidArgumentError } from 'commander';
import type { SayOptions } from '../../generate/index.ts';
import { gather, numberIn, wholeIn } from './verb.ts';

/** What the sampling options of a command line hold. */
export interface SampleFlags {
  temperature: number;
  topK?: number;
  topP?: number;
  maxTokens: number;
  seed: number;
  stop?: string[];
}

/** Adds the options that say how tokens are drawn. */
export function withSampling(command: Command): Command {
  return command
    .option('--temperature <t>', '0 always takes the likeliest token', numberIn(0, 100), 0)
    .option('--top-k <k>', 'draw from the k likeliest tokens', wholeIn(1, 1e9))
    .option('--top-p <p>', 'draw from the likeliest tokens that make up this share', share)
    .option('--max-tokens <n>', 'longest answer in tokens', wholeIn(1, 1e6), 256)
    .option('--seed <n>', 'seed of the draws', wholeIn(0, 2 ** 31 - 1), 0)
    .option('--stop <text>', 'end the answer before this text; may be given several times', gatherText);
}

export function sampleOptions(flags: SampleFlags): SayOptions {
  return {
    temperature: flags.temperature,
    ...(flags.topK !== undefined && { topK: flags.topK }),
    ...(flags.topP !== undefined && { topP: flags.topP }),
    maxTokens: flags.maxTokens,
    seed: flags.seed,
    stop: flags.stop ?? [],
  };
}

function share(text: string): number {
  const value = numberIn(0, 1)(text);
  if (value === 0) throw new InvalidArgumentError('expected a number above 0, up to 1.');
  return value;
}

function gatherText(text: string, before?: string[]): string[] {
  if (text === '') throw new InvalidArgumentError('expected a text that is not empty.');
  return gather(text, before);
}
