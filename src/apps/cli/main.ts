import { runCli } from './cli.ts';
import { isLong, ownArguments, withShortLine } from './long-line.ts';

const args = ownArguments();
process.exitCode = await (isLong(args) ? withShortLine(args) : runCli(args));
