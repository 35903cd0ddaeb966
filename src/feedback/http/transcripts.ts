import { createHash } from 'node:crypto';
import type { Fault } from '../../base/index.ts';
import { appendLines, cutBack, endedLines } from '../pair-set/log.ts';

/** A reply that was paid for, or the server's refusal. */
export type Kept = { readonly text: string } | { readonly fault: Fault };

/** Everything that was sent to a server and came back, on disk, so that nothing is asked and paid for twice. */
export class Transcripts {
  readonly #path: string;
  readonly #kept = new Map<string, Kept>();
  #sent = 0;

  /** Reads what there is; the half of a line that a process left is cut off. */
  constructor(path: string) {
    this.#path = path;
    let bytes = 0;
    for (const { text, end } of endedLines(path)) {
      bytes = end;
      const line = lineOf(text);
      if (line?.sent !== undefined) this.#sent++;
      if (line?.of !== undefined && line.kept !== undefined) this.#kept.set(line.of, line.kept);
    }
    cutBack(path, bytes);
  }

  /** Calls that were sent, over all processes. */
  get sent(): number {
    return this.#sent;
  }

  known(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  /** Counts a call before it is made, so that one whose process dies counts. */
  send(key: string): void {
    this.#sent++;
    appendLines(this.#path, [{ sent: key }]);
  }

  keep(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    appendLines(this.#path, [{ of: key, kept }]);
  }
}

/** What a request is known by: the server, and every byte that is sent but the key. */
export function keyOf(url: string, body: string): string {
  return createHash('sha256').update(`${url}\n${body}`).digest('hex');
}

interface Line {
  readonly sent?: string;
  readonly of?: string;
  readonly kept?: Kept;
}

function lineOf(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    // Asked again at worst.
    return undefined;
  }
}
