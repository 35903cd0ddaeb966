import type { Outcome } from '../../data/index.ts';
import { type AskedForCorrections, type AskedForRatings, aspects, type Judge } from '../judge.ts';
import { readCorrections, readRatings } from './replies.ts';

/** One thing that a model is asked about an image. */
export interface WordRequest {
  /** For messages. */
  readonly id: string;
  /** The path of the image, or a `data:` URI. */
  readonly image: string;
  /** What the judge is to do. */
  readonly task: string;
  /** What it is to do it with. */
  readonly text: string;
}

/** A model that is asked in words, wherever it runs. */
export interface Wordsmith {
  readonly name: string;
  /** The reply to each request, or why there is none to this one. */
  ask(requests: readonly WordRequest[], signal: AbortSignal): Promise<readonly Outcome<string>[]>;
  close(): Promise<void>;
}

const named = Object.entries(aspects);

const rateTask = `You rate answers to a question about an image. Rate every answer by itself, from 1 (bad) to 5 (good), in each aspect:
${named.map(([aspect, says]) => `- ${aspect}: ${says}`).join('\n')}
Reply with JSON alone, with one entry for each answer in their order:
{"answers": [{${named.map(([aspect]) => `"${aspect}": {"rating": 1, "rationale": "why"}`).join(', ')}}]}`;

const correctTask = `You correct an answer to a question about an image. Find every part of the answer that the image does not bear out: things
that are not there, and wrong colours, numbers, places or relations. Quote as few words as can be, word for word and enough that they stand
in the answer once, and say what is right in their place; leave everything else as it is.
Reply with JSON alone: {"corrections": [{"wrong": "words of the answer", "right": "words in their place"}]}
Where nothing is wrong, reply {"corrections": []}.`;

/** A judge out of a model that is asked in words. */
export function judgeInWords({ name, ask, close }: Wordsmith): Judge {
  return {
    name,
    close,
    async rate(items, signal) {
      const replies = await ask(items.map(ratingRequest), signal);
      return items.map(({ id, answers }, i) => read(replies[i], (reply) => readRatings(reply, answers.length, id)));
    },
    async correct(items, signal) {
      const replies = await ask(items.map(correctionRequest), signal);
      return items.map(({ id, answer }, i) => read(replies[i], (reply) => readCorrections(reply, answer, id)));
    },
  };
}

function read<T>(reply: Outcome<string> | undefined, reader: (text: string) => Outcome<T>): Outcome<T> {
  const there = reply as Outcome<string>;
  return 'refused' in there ? there : reader(there.kept);
}

function ratingRequest({ id, image, question, answers }: AskedForRatings): WordRequest {
  const listed = answers.map((answer, i) => `Answer ${i + 1}: ${answer}`);
  return { id, image, task: rateTask, text: [`Question: ${question}`, ...listed].join('\n\n') };
}

function correctionRequest({ id, image, question, answer }: AskedForCorrections): WordRequest {
  return { id, image, task: correctTask, text: `Question: ${question}\n\nAnswer: ${answer}` };
}
