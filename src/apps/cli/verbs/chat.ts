import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { TesseraError } from '../../../base/index.ts';
import type { Conversation, Quantization, SayOptions } from '../../../generate/index.ts';
import { answerOnce, say, withChat } from '../answer.ts';
import type { SampleFlags } from '../sampling.ts';
import { sampleOptions, withSampling } from '../sampling.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';
import { examples, imageOption, quantizeOption } from '../verb.ts';

interface ChatFlags {
  image: string[];
  prompt?: string;
  quantize?: Quantization;
}

export const chatVerb: Verb = (session) =>
  withSampling(
    new Command('chat')
      .description('talk to a model about pictures')
      .argument('<model>', 'a run folder or a Hugging Face folder')
      .addOption(imageOption('a picture to begin with'))
      .option('--prompt <text>', 'ask this one question and leave')
      .addOption(quantizeOption()),
  )
    .addHelpText(
      'after',
      examples(
        'chat runs/llava --image photo.jpg',
        'chat runs/llava --image photo.jpg --prompt "Is there a red cube?"',
      ),
    )
    .action(async (folder: string, { quantize, ...flags }: SampleFlags & ChatFlags) => {
      const options = sampleOptions(flags);
      if (flags.prompt !== undefined) {
        return answerOnce(session, { folder, quantize }, { text: flags.prompt, images: flags.image }, options);
      }
      if (!process.stdin.isTTY) {
        throw new TesseraError({
          code: 'cli/no-terminal',
          message: 'a conversation needs a terminal',
          expected: '--prompt <text>, or a terminal to type into',
          remedy: 'ask one question with --prompt',
        });
      }
      await withChat(session, { folder, quantize }, (chat) => converse(session, chat, flags.image, options));
    });

const help = '/image <file> shows a picture · /new forgets the conversation · /exit leaves · Ctrl-C stops an answer';

/** Reads turns from the terminal until the user leaves. Ctrl-C stops an answer, and at the prompt it leaves. */
async function converse(
  session: Session,
  chat: Conversation,
  first: readonly string[],
  options: SayOptions,
): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  let images = [...first];
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()));
  session.log.info(help);
  lines.prompt();
  for await (const line of lines) {
    const text = line.trim();
    const [, picture] = /^\/image\s+(.+)$/.exec(text) ?? [];
    if (text === '/exit') break;
    if (text === '/new') {
      chat.forget();
      images = [];
    } else if (picture) images.push(picture);
    else if (text.startsWith('/')) session.log.info(help);
    else if (text !== '') {
      answering = new AbortController();
      await turn(session, chat, { text, images }, options, answering.signal);
      answering = undefined;
      images = [];
    }
    lines.prompt();
  }
  lines.close();
}

/** One turn. What is wrong with a turn, such as a picture that cannot be read, is told and does not end the conversation. */
async function turn(
  session: Session,
  chat: Conversation,
  question: { text: string; images: string[] },
  options: SayOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    await say(session, chat, question, options, signal);
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    session.fault(error);
  }
}
