import { Command, CommanderError, Option } from 'commander';
import { asTesseraError } from '../../base/index.ts';
import { version } from '../../files/index.ts';
import { requireAddressSpace } from './address-space.ts';
import { calledAs } from './called.ts';
import { machineFault } from './machine-fault.ts';
import type { Session } from './session.ts';
import { exitCodes, interruptedCode, openSession, Stopped, wasStopped } from './session.ts';
import { examples, noSuchVerb, type Verb } from './verb.ts';
import { chatVerb } from './verbs/chat.ts';
import { dataVerb } from './verbs/data.ts';
import { demoVerb } from './verbs/demo.ts';
import { doctorVerb } from './verbs/doctor.ts';
import { evalVerb } from './verbs/eval.ts';
import { exportVerb } from './verbs/export.ts';
import { feedbackVerb } from './verbs/feedback.ts';
import { generateVerb } from './verbs/generate.ts';
import { gridVerb } from './verbs/grid.ts';
import { recipesVerb } from './verbs/recipes.ts';
import { resumeVerb } from './verbs/resume.ts';
import { retrieveVerb } from './verbs/retrieve.ts';
import { runsVerb } from './verbs/runs.ts';
import { scoreVerb } from './verbs/score.ts';
import { trainVerb } from './verbs/train.ts';

/** Every verb, by what it is for. */
const groups: Readonly<Record<string, readonly Verb[]>> = {
  'Begin:': [demoVerb, recipesVerb, doctorVerb],
  'Train:': [dataVerb, feedbackVerb, trainVerb, resumeVerb, runsVerb, gridVerb],
  'Use a model:': [chatVerb, generateVerb, scoreVerb, retrieveVerb, evalVerb, exportVerb],
};

/**
 * Runs one command line. Results go to standard output, everything else to standard error.
 * @returns the exit code: 0 done, 1 a fault, 2 a command line that cannot be read, 130 interrupted, or 128 and the
 * number of another signal that stopped it.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  const session = openSession(args);
  const program = buildProgram(session);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    const code = exitCodeOf(error, session);
    return code === exitCodes.interrupted ? interruptedCode() : code;
  } finally {
    session.close();
  }
}

function buildProgram(session: Session): Command {
  const program = new Command(calledAs())
    .description('Train, evaluate, talk to and export vision-language models.')
    .addHelpText('after', examples('train llava train.batch=16 train.steps=500'))
    .version(version(), '--version', 'print the version');
  for (const [group, verbs] of Object.entries(groups)) {
    for (const verb of verbs) program.addCommand(verb(session).helpGroup(group));
  }
  program.hook('preAction', (_, action) => {
    if (action.name() !== 'help') requireAddressSpace();
  });
  return settle(program);
}

/** `help [verb]`, which tells a misspelt verb from none; Commander's own shows the whole help for both. */
function helpOf(parent: Command): Command {
  return new Command('help')
    .description('show the help of a verb')
    .argument('[verb]')
    .helpOption(false)
    .addOption(new Option('-h, --help', 'display help for command').hideHelp())
    .action((word: string | undefined) => {
      const verb = word === undefined ? parent : parent.commands.find((command) => command.name() === word);
      if (!verb) throw noSuchVerb(parent, word as string);
      verb.help();
    });
}

/** Faults of the command line are told as all others are. */
const silent = { outputError: () => {} };

/** Gives a command and those under it the options and manners that all verbs share. */
function settle(command: Command): Command {
  command
    .exitOverride()
    .configureOutput(silent)
    .showSuggestionAfterError()
    .configureHelp({ subcommandTerm: (verb) => verb.name(), minWidthToWrap: 20 })
    .option('--json', 'print the result as one JSON object')
    .option('--quiet', 'print results and faults alone');
  command.commands.forEach(settle);
  const [first] = command.commands;
  if (first) {
    const help = helpOf(command).exitOverride().configureOutput(silent).helpGroup(first.helpGroup());
    command.helpCommand(false).addCommand(help);
  }
  return command;
}

function exitCodeOf(error: unknown, session: Session): number {
  if (error instanceof Stopped) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done;
    // Commander has printed the help of a command that lacks its verb.
    if (error.code === 'commander.help') return exitCodes.usage;
    session.fault(
      asTesseraError(usageMessage(error), { code: 'cli/usage', remedy: 'add --help to see how it is used' }),
    );
    return exitCodes.usage;
  }
  if (wasStopped(error, session.signal)) {
    session.log.info('stopped; nothing was replaced, and the same command begins again');
    return exitCodes.interrupted;
  }
  const defect = { code: 'cli/defect', remedy: 'this is a defect of tessera; please report it' };
  session.fault(machineFault(error) ?? asTesseraError(error, defect));
  return exitCodes.fault;
}

function usageMessage(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replace(/\n/g, ' ');
}
