import type { Answer, Chat, SampleOptions } from '../../recipe/index.ts';
import type { Session } from './session.ts';
import { exitCodes, Stopped } from './session.ts';

/** What is asked: the words, and the pictures they are about. */
export interface Question {
  readonly text: string;
  readonly images: readonly string[];
}

/** Loads a model, answers one question while it is being written, and lets the model go. */
export async function answerOnce(session: Session, folder: string, question: Question, options: SampleOptions) {
  await withChat(session, folder, async (chat) => {
    const answer = await say(session, chat, question, options, session.signal);
    if (session.json) session.result(answer, () => answer.text);
    if (answer.finish === 'cancelled') throw new Stopped(exitCodes.interrupted);
  });
}

/** Asks within a conversation; the words appear as they come, but for `--json`. */
export async function say(
  session: Session,
  chat: Chat,
  question: Question,
  options: SampleOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const onText = (text: string) => void (session.json || process.stdout.write(text));
  const answer = await chat.say(question, { ...options, signal, onText });
  if (!session.json) process.stdout.write('\n');
  return answer;
}

/** A loaded model for as long as `use` takes. */
export async function withChat<T>(session: Session, folder: string, use: (chat: Chat) => Promise<T>): Promise<T> {
  const { openChat } = await import('../../recipe/index.ts');
  const chat = await session.watch((hooks) => openChat(folder, hooks));
  try {
    return await use(chat);
  } finally {
    await chat.close();
  }
}
