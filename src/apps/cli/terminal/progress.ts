import type { Progress } from '../../../run/index.ts';
import { isPlain } from './plain.ts';

/** Shows how far long work is. */
export interface Bar {
  show(progress: Progress): void;
  /** A line of its own, above the bar. */
  note(message: string): void;
  close(): void;
}

/** What a bar needs of a stream. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const redrawEvery = 100;
const lineEvery = 5000;

/** A bar that redraws itself on a terminal, a plain line every few seconds elsewhere; nothing when quiet. */
export function openBar(screen: Screen, quiet: boolean, now: () => number = () => performance.now()): Bar {
  if (quiet) return { show: () => {}, note: () => {}, close: () => {} };
  const live = screen.isTTY === true && !isPlain();
  let label = '';
  let begun = 0;
  let first = 0;
  let reached = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const wipe = () => {
    if (drawn) screen.write('\r\u001b[2K');
    drawn = false;
  };
  return {
    show: (progress) => {
      const at = now();
      const fresh = progress.label !== label || progress.done < reached;
      const again = !fresh && reached >= progress.total;
      if (fresh) [label, begun, first] = [progress.label, at, progress.done];
      reached = progress.done;
      const last = progress.done >= progress.total;
      if (again || (!fresh && !last && at - shownAt < (live ? redrawEvery : lineEvery))) return;
      shownAt = at;
      const [since, seconds] = [progress.done - first, (at - begun) / 1000];
      if (!live) return void screen.write(`${progressText(progress, since, seconds)}\n`);
      wipe();
      drawn = !last;
      const bar = drawBar(progress.done / progress.total);
      const room = Math.max(20, (screen.columns || 80) - 1);
      const text = progressText(progress, since, seconds, room - bar.length - 1);
      screen.write(`${bar} ${text}`.slice(0, room) + (last ? '\n' : ''));
    },
    note: (message) => {
      wipe();
      screen.write(`${message}\n`);
    },
    close: wipe,
  };
}

function drawBar(share: number): string {
  const width = 20;
  const full = Math.round(width * Math.min(1, Math.max(0, share)));
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/**
 * `stage align  120/300 steps  8.3/s  ETA 0:22  loss 2.314`; `seconds` went by for the last `since` of `done`. Numbers at
 * the end that do not fit into the room are left out whole.
 */
export function progressText(
  progress: Progress,
  since: number,
  seconds: number,
  room = Number.POSITIVE_INFINITY,
): string {
  const { label, done, total, unit = 'steps', numbers } = progress;
  const parts = [label, `${done}/${total} ${unit}`];
  if (since > 0 && seconds > 0) {
    const rate = since / seconds;
    parts.push(rate >= 1 ? `${brief(rate)}/s` : `${brief(1 / rate)} s each`);
    parts.push(done < total ? `ETA ${duration((total - done) / rate)}` : `in ${duration(seconds)}`);
  }
  let text = parts.join('  ');
  for (const [name, value] of Object.entries(numbers)) {
    const longer = `${text}  ${name} ${figure(value)}`;
    if (longer.length > room) break;
    text = longer;
  }
  return text;
}

/** A number from 1 on in two significant figures: 2.3, 1500, 12k. */
function brief(value: number): string {
  const two = (number: number) => (number < 9.95 ? number.toFixed(1) : `${Number(number.toPrecision(2))}`);
  return value < 9950 ? two(value) : `${two(value / 1000)}k`;
}

/** A number in at most four significant figures, small and large ones with an exponent. */
export function figure(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return `${value}`;
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? `${Number(value.toPrecision(4))}` : value.toExponential(2);
}

/** Seconds as `m:ss` or `h:mm:ss`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (part: number) => `${part}`.padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
