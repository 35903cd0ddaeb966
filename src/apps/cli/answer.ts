import type { Conversation, Quantization, Said, SayOptions, SpeakerParts } from '../../generate/index.ts';
import type { Session } from './session.ts';
import { exitCodes, Stopped } from './session.ts';

/** Which model a verb speaks with, and how. */
export interface ModelFlags {
  readonly folder: string;
  readonly quantize?: Quantization | undefined;
}

/** What is asked: the words, and the pictures they are about. */
export interface Question {
  readonly text: string;
  readonly images: readonly string[];
}

/** Loads a model, answers one question while it is being written, and lets the model go. */
export async function answerOnce(session: Session, model: ModelFlags, question: Question, options: SayOptions) {
  await withChat(session, model, async (chat) => {
    const answer = await say(session, chat, question, options, session.signal);
    if (session.json) session.result(answer, () => answer.text);
    if (answer.finish === 'cancelled') throw new Stopped(exitCodes.interrupted);
  });
}

/** Asks within a conversation; the words appear as they come, but for `--json`. */
export async function say(
  session: Session,
  chat: Conversation,
  question: Question,
  options: SayOptions,
  signal: AbortSignal,
): Promise<Said> {
  const onText = (text: string) => void (session.json || process.stdout.write(text));
  const answer = await chat.say(question, { ...options, signal, onText });
  if (!session.json) process.stdout.write('\n');
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

/** What it takes to speak with the model of a folder. */
export async function loadParts(session: Session, { folder, quantize }: ModelFlags): Promise<SpeakerParts> {
  const { loadForGeneration } = await import('../../generate/index.ts');
  const { openEngine } = await import('../../runtime/index.ts');
  return session.watch(async ({ log }) => loadForGeneration(folder, await openEngine({ log }), { quantize }));
}
