import { type Fault, Random, TesseraError } from '../../base/index.ts';
import type { Outcome } from '../../data/index.ts';
import type { WordRequest, Wordsmith } from '../words/judge.ts';
import { callOnce, type Endpoint } from './call.ts';
import { imageUri } from './image.ts';
import type { Call } from './reply.ts';
import { keyOf, Transcripts } from './transcripts.ts';

export interface ServerOptions extends Endpoint {
  readonly model: string;
  readonly maxTokens: number;
  readonly seed: number;
  /** Tries after the first. */
  readonly retries: number;
  /** Calls under way at a time. */
  readonly concurrency: number;
  /** Most calls that may be sent, over all processes; tries count. */
  readonly calls?: number | undefined;
  /** The file that calls and replies are kept in. */
  readonly transcripts: string;
  /** Seconds before the second try; 1 unless told. */
  readonly pause?: number;
  /** Hears of every call that is tried again. */
  readonly onRetry?: (fault: Fault, seconds: number) => void;
}

/** Longest wait between two tries, in seconds. */
const LONGEST_WAIT = 300;

/** Requests that a server may refuse before it has answered any; then none is sent any more. */
const MOST_REFUSED = 5;

/**
 * A model behind an OpenAI-compatible API. Replies are kept and never asked for twice. Calls that fail for a time are tried
 * again with longer and longer waits; when none helps, the judge throws and the caller has lost nothing.
 * @throws TesseraError `feedback/http-…`, `feedback/budget`
 */
export function openServer(options: ServerOptions): Wordsmith {
  const transcripts = new Transcripts(options.transcripts);
  const state: State = { options, transcripts, refused: 0, answered: false };
  return {
    name: `${options.model} at ${new URL(options.url).host}`,
    async ask(requests, signal) {
      const replies: Outcome<string>[] = new Array(requests.length);
      const stop = new AbortController();
      const both = AbortSignal.any([signal, stop.signal]);
      let next = 0;
      let fault: unknown;
      const work = async () => {
        for (let i = next++; i < requests.length && fault === undefined; i = next++) {
          replies[i] = await replyTo(requests[i] as WordRequest, state, both);
        }
      };
      const workers = Array.from({ length: Math.min(options.concurrency, requests.length) }, () =>
        work().catch((error) => {
          fault ??= error;
          // Calls that are under way when the budget is spent are paid for.
          if (!isSpent(error)) stop.abort(error);
        }),
      );
      // All have ended before the first fault is told, so that nothing is sent or written behind it.
      await Promise.all(workers);
      if (fault !== undefined) throw fault;
      return replies;
    },
    close: async () => {},
  };
}

interface State {
  readonly options: ServerOptions;
  readonly transcripts: Transcripts;
  refused: number;
  answered: boolean;
}

async function replyTo(request: WordRequest, state: State, signal: AbortSignal): Promise<Outcome<string>> {
  const { options, transcripts } = state;
  const body = bodyOf(request, options);
  if (typeof body !== 'string') return body;
  const key = keyOf(options.url, body);
  const known = transcripts.known(key);
  const kept = known ?? (await ask(key, body, state, signal));
  if (known === undefined) transcripts.keep(key, kept);
  if ('text' in kept) return { kept: kept.text };
  return { refused: { ...kept.fault, path: request.id } };
}

/** Sends a request until there is an answer to keep. */
async function ask(key: string, body: string, state: State, signal: AbortSignal) {
  const { options, transcripts } = state;
  const waits = new Random(options.seed, 'wait', key);
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    if (transcripts.sent >= (options.calls ?? Number.POSITIVE_INFINITY)) throw spent(options);
    transcripts.send(key);
    const call = await callOnce(options, body, signal);
    if (call.kind === 'reply') {
      state.answered = true;
      return { text: call.text };
    }
    if (call.kind === 'refused') return { fault: refusedBy(call, state) };
    if (call.kind === 'never' || tries >= options.retries) throw new TesseraError(call.fault);
    const seconds = waitBefore(tries, call.wait, options.pause ?? 1, waits);
    options.onRetry?.(call.fault, seconds);
    await sleep(seconds, signal);
  }
}

/** A server that has refused the first of all requests is asked in a way that it does not know. */
function refusedBy({ fault }: Extract<Call, { kind: 'refused' }>, state: State): Fault {
  state.refused++;
  if (state.answered || state.refused < MOST_REFUSED || fault.code !== 'feedback/http-refused') return fault;
  throw new TesseraError({ ...fault, message: `the judge refuses all requests, the first ${MOST_REFUSED} of them` });
}

/** Twice as long each time, and up to half of that again; or as long as the server asks for. */
function waitBefore(tries: number, asked: number | undefined, pause: number, random: Random): number {
  const own = pause * 2 ** tries * (1 + random.next() / 2);
  return Math.min(Math.max(own, asked ?? 0), LONGEST_WAIT);
}

function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stopped = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stopped);
      resolve();
    }, 1000 * seconds);
    signal.addEventListener('abort', stopped, { once: true });
  });
}

function bodyOf(
  { image, task, text }: WordRequest,
  { model, maxTokens, seed }: ServerOptions,
): string | { refused: Fault } {
  const uri = imageUri(image);
  if (typeof uri !== 'string') return uri;
  const content = [
    { type: 'image_url', image_url: { url: uri } },
    { type: 'text', text },
  ];
  const messages = [
    { role: 'system', content: task },
    { role: 'user', content },
  ];
  return JSON.stringify({ model, messages, temperature: 0, max_tokens: maxTokens, seed, stream: false });
}

function isSpent(error: unknown): boolean {
  return error instanceof TesseraError && error.code === 'feedback/budget';
}

function spent({ calls }: ServerOptions): TesseraError {
  return new TesseraError({
    code: 'feedback/budget',
    message: 'the judge has been called as often as it may be',
    path: 'feedback.judge.calls',
    got: `${calls}`,
    remedy: 'what it said is kept: the same command with a larger feedback.judge.calls goes on',
  });
}
