import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { Session } from './session.ts';

/** A verb of the command line, built for one session. */
export type Verb = (session: Session) => Command;

/** The examples at the end of a verb's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ tessera ${line}`).join('\n')}`;
}

/** Reads a number of an option, within bounds. */
export function numberIn(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) {
      throw new InvalidArgumentError(`expected a number from ${low} to ${high}.`);
    }
    return value;
  };
}

/** Reads a whole number of an option, within bounds. */
export function wholeIn(low: number, high: number): (text: string) => number {
  const read = numberIn(low, high);
  return (text) => {
    const value = read(text);
    if (!Number.isInteger(value)) throw new InvalidArgumentError('expected a whole number.');
    return value;
  };
}

/** Reads `a,b,c`. */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** `--image <file>`, any number of times. */
export function imageOption(description: string): Option {
  return new Option('--image <file>', `${description}; may be given several times`)
    .argParser(gather)
    .default([], 'none');
}

/** `--quantize <type>`. */
export function quantizeOption(): Option {
  return new Option(
    '--quantize <type>',
    'round the matrices of the language model to so many bits: less memory and faster answers, a little less exact',
  ).choices(['int4', 'int8']);
}

/** Gathers an option that may be given several times. */
export function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}
