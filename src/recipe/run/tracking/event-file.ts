import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Event, encodeEvent } from './event.ts';
import { frame } from './records.ts';

/** A TensorBoard event file that is being written; every event is with the system when `add` returns. */
export interface EventFile {
  readonly path: string;
  add(step: number, what: Event['what']): void;
  close(): void;
}

const fileName = /^events\.out\.tfevents\.(\d+)\./;

/**
 * Begins a new event file in a folder. Events of older files whose step is `from` or later count as undone: TensorBoard
 * drops them when it meets the start of a session, so a run that goes on from a checkpoint shows no step twice.
 */
export function openEventFile(folder: string, from: number): EventFile {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `events.out.tfevents.${nextSecond(folder)}.${hostname()}.${process.pid}.0`);
  const file = openSync(path, 'wx');
  const add = (step: number, what: Event['what']) => {
    const bytes = frame(encodeEvent({ wallTime: Date.now() / 1000, step, what }));
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  };
  add(0, { kind: 'version' });
  add(from, { kind: 'start' });
  return { path, add, close: () => closeSync(file) };
}

/** TensorBoard reads files in the order of their names, so a new one must come after all others, whatever the clock says. */
function nextSecond(folder: string): string {
  const used = readdirSync(folder).map((name) => Number(fileName.exec(name)?.[1] ?? 0));
  return String(Math.max(Math.floor(Date.now() / 1000), ...used.map((second) => second + 1))).padStart(10, '0');
}
