import { raise } from '../../base/index.ts';
import type { Conversation, Quantization, Said, SayOptions, SpeakerParts } from '../../generate/index.ts';
import type { Session } from './session.ts';
import { exitCodes, Stopped } from './session.ts';

/** Which model a verb speaks with, and how. */
export interface ModelFlags {
  readonly folder: string;
  readonly quantize?: Quantization | undefined;
  readonly adapter?: string | undefined;
  readonly template?: string | undefined;
  readonly system?: string | undefined;
}

/** What is asked: the words, and the images they are about. */
export interface Question {
  readonly text: string;
  readonly images: readonly string[];
}

/**
 * Reads images, so that one that cannot be shown is told before a model is loaded or a question typed.
 * @throws TesseraError with the faults of all of them
 */
export async function checkImages(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const { decodeImage } = await import('../../data/index.ts');
  const outcomes = await Promise.allSettled(paths.map((path) => decodeImage(path)));
  raise(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : [])));
}

/** Loads a model, answers one question while it is being written, and lets the model go. */
export async function answerOnce(session: Session, model: ModelFlags, question: Question, options: SayOptions) {
  await checkImages(question.images);
  await withChat(session, model, async (chat) => {
    const answer = await say(session, chat, question, options, session.signal);
    if (answer.finish === 'cancelled') throw new Stopped(exitCodes.interrupted);
  });
}

/** Asks within a conversation; the words appear as they come, with `--json` as one object a line. */
export async function say(
  session: Session,
  chat: Conversation,
  question: Question,
  options: SayOptions,
  signal: AbortSignal,
): Promise<Said> {
  const onText = (text: string) => void (session.json || process.stdout.write(text));
  const answer = await chat.say(question, { ...options, signal, onText });
  const { images = [], ...said } = answer;
  // Pixels are no text: how many images there are is said, and `generate --out` writes one.
  if (session.json) session.result(images.length > 0 ? { ...said, images: images.length } : said, () => answer.text);
  else process.stdout.write('\n');
  if (images.length > 0)
    session.log.info(`images in this answer: ${images.length}; generate --out writes what is drawn`);
  return answer;
}

/** A loaded model for as long as `use` takes. */
export async function withChat<T>(
  session: Session,
  model: ModelFlags,
  use: (chat: Conversation) => Promise<T>,
): Promise<T> {
  const { openConversation } = await import('../../generate/index.ts');
  const chat = openConversation(await loadParts(session, model));
  try {
    return await use(chat);
  } finally {
    await chat.close();
  }
}

/**
 * What it takes to speak with the model of a folder.
 * @throws the session's reason when it was stopped meanwhile
 */
export async function loadParts(session: Session, { folder, ...how }: ModelFlags): Promise<SpeakerParts> {
  const { loadForGeneration } = await import('../../generate/index.ts');
  const { openEngine } = await import('../../runtime/index.ts');
  return session.watch(async ({ log, signal }) => {
    const parts = await loadForGeneration(folder, await openEngine({ log }), how);
    // Loading does not let go of the thread; a signal that came meanwhile is heard in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    return parts;
  });
}
