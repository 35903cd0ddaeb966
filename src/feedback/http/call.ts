import type { Fault } from '../../base/index.ts';
import { type Call, callOfBody, callOfStatus } from './reply.ts';

export interface Endpoint {
  /** Of the API; `/chat/completions` is added. */
  readonly url: string;
  readonly key?: string | undefined;
  /** Longest time of a call, its whole reply included, in seconds. */
  readonly timeout: number;
}

/** Longest reply that is read, in bytes. */
const LARGEST = 1 << 22;

/**
 * One call of an OpenAI-compatible server. Whatever comes back is told in one of four ways; the key stands in none.
 * @throws the signal's reason once it has aborted
 */
export async function callOnce(endpoint: Endpoint, body: string, signal: AbortSignal): Promise<Call> {
  const { key, timeout } = endpoint;
  const url = `${endpoint.url.replace(/\/+$/, '')}/chat/completions`;
  const late = AbortSignal.timeout(timeout * 1000);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
      body,
      // A key must not follow to another server.
      redirect: 'manual',
      signal: AbortSignal.any([signal, late]),
    });
    const text = withoutKey(await readAtMost(response, LARGEST), key);
    if (text === undefined) return { kind: 'again', fault: tooLarge(url) };
    return callOfStatus(response.status, response.headers, text, url) ?? callOfBody(text, url);
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) return { kind: 'again', fault: tooLate(url, timeout) };
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    return { kind: isOfNetwork(cause) ? 'again' : 'never', fault: unreachable(url, cause) };
  }
}

/** The text of a reply; undefined for one that is longer than it may be, of which no more is read. */
async function readAtMost(response: Response, largest: number): Promise<string | undefined> {
  if (!response.body) return '';
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > largest) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A server may say the key again. */
function withoutKey(text: string | undefined, key: string | undefined): string | undefined {
  return key === undefined || key === '' ? text : text?.replaceAll(key, '[key]');
}

function tooLarge(path: string): Fault {
  const message = 'the reply of the judge is too large';
  return { code: 'feedback/http-reply', message, path, expected: `at most ${LARGEST} bytes`, got: 'more' };
}

function tooLate(path: string, timeout: number): Fault {
  return {
    code: 'feedback/http-timeout',
    message: 'the judge has not answered in time',
    path,
    expected: `a whole reply within ${timeout} s`,
    remedy: 'set feedback.judge.timeout, or ask fewer at a time with feedback.judge.concurrency',
  };
}

/** Whether another try may do: what has no code was refused before it was sent, and no wait mends a certificate. */
function isOfNetwork(cause: Error): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code !== undefined && !/^(?:ERR_TLS|ERR_SSL|ERR_INVALID|CERT_|UNABLE_TO_|.*SELF_SIGNED)/.test(code);
}

function unreachable(path: string, cause: Error): Fault {
  return {
    code: 'feedback/http-unreachable',
    message: 'the judge cannot be reached',
    path,
    got: `${(cause as NodeJS.ErrnoException).code ?? ''} ${cause.message}`.trim(),
    remedy: 'check feedback.judge.url and that its server runs',
  };
}
