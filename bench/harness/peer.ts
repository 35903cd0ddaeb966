import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How a peer is started; it then speaks JSON lines on its standard input and output. */
export interface PeerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

type Answer = Readonly<Record<string, unknown>>;

/** A runtime under test in a process of its own, idle between requests. */
export interface Peer {
  readonly name: string;
  /** What the peer said of itself when it was ready. */
  readonly about: Answer;
  ask(request: Answer): Promise<Answer>;
  stop(): void;
}

/**
 * Starts a peer and waits until it is ready.
 * @returns the peer, or the reason why it cannot take part.
 */
export async function startPeer(how: PeerCommand): Promise<Peer | string> {
  const child = spawn(how.command, how.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(how.cwd !== undefined && { cwd: how.cwd }),
    env: { ...process.env, ...how.env },
  });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-4000);
  });
  const lines = jsonLines(child);
  const first = await lines.next().catch((error: Error) => ({ missing: error.message }) as Answer);
  if ('missing' in first) {
    child.kill();
    return [first.missing, complaints.trim().split('\n').at(-1)].filter(Boolean).join(': ');
  }
  return {
    name: how.name,
    about: first,
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const answer = await lines.next().catch((error: Error) => {
        throw new Error(`${how.name}: ${error.message}\n${complaints}`);
      });
      if ('error' in answer) throw new Error(`${how.name}: ${answer.error}`);
      return answer;
    },
    stop: () => void child.kill(),
  };
}

/** The child's lines that are JSON objects, one at a time; libraries may print others. */
function jsonLines(child: ChildProcess): { next(): Promise<Answer> } {
  const ready: Answer[] = [];
  let waiting: { resolve(a: Answer): void; reject(e: Error): void } | undefined;
  let ended: Error | undefined;
  const end = (error: Error) => {
    ended = error;
    waiting?.reject(error);
  };
  child.on('error', (error) => end(error));
  child.on('exit', (code, signal) => end(new Error(`ended with ${signal ?? `code ${code}`}`)));
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const answer = JSON.parse(line) as Answer;
    if (waiting) waiting.resolve(answer);
    else ready.push(answer);
    waiting = undefined;
  });
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const answer = ready.shift();
        if (answer) resolve(answer);
        else if (ended) reject(ended);
        else waiting = { resolve, reject };
      }),
  };
}
