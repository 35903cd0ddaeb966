import { createInterface } from 'node:readline';

type Answer = Readonly<Record<string, unknown>>;

/** What a peer does on request; times are measured inside the peer. */
export interface PeerTasks {
  /** One whole training step. */
  step(): Promise<Answer>;
  /** One product of `[m, k]` and `[k, n]`. */
  matmul?(m: number, k: number, n: number): Promise<Answer>;
}

/** The side of the protocol that runs in the peer's process. */
export async function servePeer(about: Answer, tasks: PeerTasks): Promise<void> {
  say({ ready: true, ...about });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as { step?: true; matmul?: [number, number, number] };
    try {
      if (request.matmul && !tasks.matmul) throw new Error('this peer times no bare products');
      say(request.matmul ? ((await tasks.matmul?.(...request.matmul)) as Answer) : await tasks.step());
    } catch (error) {
      say({ error: String((error as Error).stack ?? error) });
    }
  }
}

/** Says why this peer cannot take part, and ends. */
export function refusePeer(reason: string): never {
  say({ missing: reason });
  process.exit(0);
}

function say(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Milliseconds of the fastest of several runs. */
export async function fastest(run: () => unknown, times = 5): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const from = performance.now();
    await run();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}
