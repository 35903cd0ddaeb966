import { TesseraError } from '../base/index.ts';
import type { Outcome } from '../data/index.ts';
import type { WordRequest, Wordsmith } from '../feedback/index.ts';
import type { Responder } from '../generate/index.ts';

/** A model on this machine that is asked in words, with its likeliest tokens. */
export function modelInWords(responder: Responder, maxTokens: number): Wordsmith {
  return {
    name: responder.name,
    ask: (requests, signal) => replies(responder, requests, maxTokens, signal),
    close: () => responder.close(),
  };
}

/** The replies to requests, together where all fit into the model, and else one by one. */
async function replies(
  responder: Responder,
  requests: readonly WordRequest[],
  maxTokens: number,
  signal: AbortSignal,
): Promise<Outcome<string>[]> {
  const questions = requests.map(({ image, task, text }) => ({ image, prompt: `${task}\n\n${text}`, maxTokens }));
  try {
    const given = await responder.answer(questions, signal);
    return given.map(({ text, finish }, i) =>
      finish === 'length' ? cut(requests[i] as WordRequest, text) : { kept: text },
    );
  } catch (error) {
    if (!isTooLong(error)) throw error;
    const [only, ...others] = requests;
    if (only && others.length === 0) return [{ refused: { ...error.toJSON(), path: only.id } }];
  }
  const out: Outcome<string>[] = [];
  for (const request of requests) out.push(...(await replies(responder, [request], maxTokens, signal)));
  return out;
}

function isTooLong(error: unknown): error is TesseraError {
  return error instanceof TesseraError && error.code === 'generate/too-long';
}

function cut({ id }: WordRequest, text: string): Outcome<string> {
  const message = 'the reply of the judge is longer than max_tokens';
  return { refused: { code: 'feedback/reply-cut', message, path: id, got: text.slice(0, 120) } };
}
