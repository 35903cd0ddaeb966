import type { Command } from 'commander';
import { CommanderError, InvalidArgumentError, Option } from 'commander';
import { nearest } from '../../base/index.ts';
import { command } from './called.ts';
import type { Session } from './session.ts';

/** A verb of the command line, built for one session. */
export type Verb = (session: Session) => Command;

/** Characters of a line of help, which is what a terminal has when nobody has made it wider. */
const mostColumns = 80;

/** The examples at the end of a verb's help, each on as many lines as it takes. */
export function examples(...lines: readonly string[]): string {
  const shown = lines.map((line) => folded(`  $ ${command(line)}`));
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${shown.join('\n')}`;
}

/** A command on several lines where it is too long for one, as a shell reads it. */
function folded(line: string): string {
  if (line.length < mostColumns) return line;
  const words = line.match(/(?:^ {2}\$ )?(?:"[^"]*"|\S)+/g) ?? [];
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length < mostColumns - 2) lines[lines.length - 1] = longer;
    else lines.push(lines.length === 0 ? word : `      ${word}`);
  }
  return lines.join(' \\\n');
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

/** Reads `a,b,c`: words that are not empty, each once. */
export function commaList(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  const twice = words.find((word, at) => words.indexOf(word) < at);
  if (words.includes('')) throw new InvalidArgumentError('expected words between commas, as in a,b,c.');
  if (twice !== undefined) throw new InvalidArgumentError(`${twice} is named twice.`);
  return words;
}

/** The refusal of a word that names none of a command's verbs, with the verb that may be meant. */
export function noSuchVerb(command: Command, word: string): CommanderError {
  const near = verbMeant(command, word);
  const meant = near === undefined ? '' : `\n(Did you mean ${near}?)`;
  return new CommanderError(1, 'commander.unknownCommand', `error: unknown command '${word}'${meant}`);
}

/** The verb of a command that a word is a misspelling of. */
export function verbMeant(command: Command, word: string): string | undefined {
  return nearest(
    word,
    command.commands.map((verb) => verb.name()),
  );
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

/** `--template <name or file>`. */
export function templateOption(): Option {
  return new Option(
    '--template <name or file>',
    "a built-in chat template (plain, text, llava-v0, llava-v1, llava-1.5, flamingo, chameleon) or a file, in the place of the model's own",
  );
}

/** `--system <text>`. */
export function systemOption(): Option {
  return new Option('--system <text>', 'the system message that the conversation opens with');
}

/** `--adapter <folder>`. */
export function adapterOption(): Option {
  return new Option('--adapter <folder>', 'a LoRA adapter in PEFT layout that is added to the model');
}

/** Gathers an option that may be given several times. */
export function gather(text: string, before: string[] = []): string[] {
  return [...before, text];
}
