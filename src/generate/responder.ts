import type { Answer, Example } from '../data/index.ts';
import { answerOf } from './answer.ts';
import { type GenerateOptions, generate } from './decode.ts';
import { drawnFor, paintedAgain } from './drawn-answers.ts';
import type { Finish } from './row.ts';
import type { Sampling } from './sampling.ts';
import { openSpeaker, type Shot, type Speaker, type SpeakerParts, shotsRow } from './speaker.ts';

/** One question about at most one image. */
export interface Question {
  /** What is shown before it, in this order. */
  readonly shots?: readonly Shot[];
  /** Path of an image file. */
  readonly image?: string;
  readonly prompt: string;
  readonly maxTokens: number;
  /**
   * What is drawn, and nothing said: an image for the prompt; or the image itself once more, from its codes, behind what its file
   * shows.
   */
  readonly draws?: 'prompt' | 'image' | undefined;
  /** Numbers the stream of random draws; its place in the list unless told. */
  readonly stream?: number;
}

export interface ResponderOptions extends SpeakerParts {
  /** Names the model in results; its architecture unless told. */
  readonly name?: string;
  /** Questions answered at a time; 32 unless told. */
  readonly batch?: number;
  /** How tokens are picked; the likeliest unless told. */
  readonly sampling?: Sampling;
}

/** An answer, and why it ended. */
export interface Responded extends Answer {
  readonly finish: Finish;
}

/** Answers lists of questions. */
export interface Responder {
  readonly name: string;
  /**
   * Answers in the order of the questions, trimmed.
   * @throws the signal's reason once it has aborted: half an answer must not be judged
   */
  answer(questions: readonly Question[], signal?: AbortSignal): Promise<readonly Responded[]>;
  close(): Promise<void>;
}

/** A model that answers questions for an evaluation. Questions of like length are answered together. */
export function createResponder(options: ResponderOptions): Responder {
  const { batch = 32, sampling } = options;
  const speaker = openSpeaker(options);
  return {
    name: options.name ?? options.model.architecture,
    async answer(questions, signal) {
      const examples = questions.map((question, i) => speaker.encode(shotsRow(`question ${i + 1}`, question)));
      const order = [...questions.keys()].sort((a, b) => lengthOf(examples, a) - lengthOf(examples, b));
      const answers: Responded[] = new Array(questions.length);
      const settings = { ...(sampling && { sampling }), ...(signal && { signal }) };
      for (const kind of [undefined, 'prompt', 'image'] as const) {
        const alike = order.filter((i) => questions[i]?.draws === kind);
        for (let at = 0; at < alike.length; at += batch) {
          const chosen = alike.slice(at, at + batch);
          const given = await answerBatch(speaker, questions, examples, chosen, settings);
          signal?.throwIfAborted();
          for (const [k, i] of chosen.entries()) answers[i] = given[k] as Responded;
        }
      }
      return answers;
    },
    close: () => speaker.program.dispose(),
  };
}

function lengthOf(examples: readonly Example[], index: number): number {
  return (examples[index] as Example).ids.length;
}

/** Those that are chosen are all drawn alike, or none. */
async function answerBatch(
  speaker: Speaker,
  questions: readonly Question[],
  examples: readonly Example[],
  chosen: readonly number[],
  options: GenerateOptions,
): Promise<Responded[]> {
  const { draws } = questions[chosen[0] as number] as Question;
  if (draws) {
    const asked = chosen.map((i) => ({ ...(questions[i] as Question), stream: questions[i]?.stream ?? i }));
    const images = await (draws === 'prompt' ? drawnFor(speaker, asked, options) : paintedAgain(speaker, asked));
    return images.map((drawn) => ({ text: '', images: drawn, finish: 'stop' }));
  }
  const { program, prompt, ending } = speaker;
  const requests = await Promise.all(
    chosen.map(async (i) => ({
      ...(await prompt(examples[i] as Example)),
      maxTokens: (questions[i] as Question).maxTokens,
      stream: (questions[i] as Question).stream ?? i,
    })),
  );
  const answers = await generate(program, requests, { ...ending, ...options });
  return Promise.all(
    answers.map(async (answer, k) => ({
      ...(await answerOf(program, examples[chosen[k] as number] as Example, answer)),
      finish: answer.finish,
    })),
  );
}
