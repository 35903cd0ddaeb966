import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { asTesseraError } from '../../base/index.ts';
import { type Event, encodeEvent } from './event.ts';
import { frame } from './records.ts';

/** A TensorBoard event file; every event is with the system when `add` returns. */
export interface EventFile {
  add(step: number, what: Event['what']): void;
}

const fileName = /^events\.out\.tfevents\.(\d+)\./;

/**
 * Begins a new event file in a folder. Events of older files whose step is `from` or later count as undone: TensorBoard
 * drops them when it meets the start of a session, so a run that goes on from a checkpoint shows no step twice.
 */
export function openEventFile(folder: string, from: number): EventFile {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `events.out.tfevents.${nextSecond(folder)}.${hostname()}.${process.pid}.0`);
  writeFileSync(path, '', { flag: 'wx' });
  const add = (step: number, what: Event['what']) => {
    try {
      appendFileSync(path, frame(encodeEvent({ wallTime: Date.now() / 1000, step, what })));
    } catch (error) {
      throw asTesseraError(error, { code: 'run/log', path, remedy: 'check free space and permissions' });
    }
  };
  add(0, { kind: 'version' });
  add(from, { kind: 'start' });
  return { add };
}

/** TensorBoard reads files in the order of their names, so a new one must come after all others, whatever the clock says. */
function nextSecond(folder: string): string {
  const used = readdirSync(folder).map((name) => Number(fileName.exec(name)?.[1] ?? 0));
  return String(Math.max(Math.floor(Date.now() / 1000), ...used.map((second) => second + 1))).padStart(10, '0');
}
