import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { LossProgram, StepProgram } from '../../src/train/index.ts';

/**
 * Loaded before the command, to end it by SIGKILL where the variable TESSERA_KILL says, as JSON, and to count the
 * events of a run into the file that TESSERA_COUNT names.
 */

/** What happens in a run: a forward and backward pass, one more of the same step, a held-out pass, a write. */
export type Event = 'step' | 'accumulate' | 'evaluate' | 'save' | 'write';

export interface Moment {
  readonly event: Event;
  /** Which of these events of the process, from 1. */
  readonly at: number;
  /** Milliseconds after it began; writes die in their middle. */
  readonly after: number;
}

const moment: Moment | undefined = process.env.TESSERA_KILL && JSON.parse(process.env.TESSERA_KILL);
const counts: Record<Event, number> = { step: 0, accumulate: 0, evaluate: 0, save: 0, write: 0 };
const die = () => process.kill(process.pid, 'SIGKILL');

/** Counts an event; whether it is the one to die in. */
function isLast(event: Event): boolean {
  counts[event]++;
  return moment?.event === event && moment.at === counts[event];
}

const { run: runStep } = StepProgram.prototype;
const { run: runBatch } = LossProgram.prototype;
let batches = 0;
StepProgram.prototype.run = function (...given) {
  batches = 0;
  return runStep.apply(this, given);
};
LossProgram.prototype.run = function (batch, scale, options) {
  const event = options?.into === undefined ? 'evaluate' : batches++ === 0 ? 'step' : 'accumulate';
  if (isLast(event)) setTimeout(die, moment?.after);
  return runBatch.call(this, batch, scale, options);
};

type Call = (...args: unknown[]) => unknown;
const disk = fs as unknown as Record<string, Call>;
const writers = 'openSync writeSync writeFileSync appendFileSync fsyncSync renameSync mkdirSync rmSync truncateSync';
for (const name of writers.split(' ')) {
  const good = disk[name] as Call;
  disk[name] = (...args) => {
    const ofCheckpoint = new Error().stack?.includes('checkpoints.ts') === true;
    const last = [isLast('write'), ofCheckpoint && isLast('save')].includes(true);
    if (last && name === 'writeSync') good(args[0], args[1], args[2], Math.ceil((args[3] as number) / 2));
    if (last) die();
    return good(...args);
  };
}
syncBuiltinESMExports();

const countFile = process.env.TESSERA_COUNT;
if (countFile !== undefined) process.on('exit', () => fs.writeFileSync(countFile, JSON.stringify(counts)));
