import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { TesseraError } from '../../../base/index.ts';
import type { Conversation, Quantization, SayOptions } from '../../../generate/index.ts';
import { answerOnce, checkImages, say, withChat } from '../answer.ts';
import type { SampleFlags } from '../sampling.ts';
import { sampleOptions, withSampling } from '../sampling.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, examples, imageOption, quantizeOption, systemOption, templateOption } from '../verb.ts';

interface ChatFlags {
  image: string[];
  prompt?: string;
  quantize?: Quantization;
  adapter?: string;
  template?: string;
  system?: string;
}

export const chatVerb: Verb = (session) =>
  withSampling(
    new Command('chat')
      .description('talk to a model about images')
      .argument('<model>', 'a run folder or a Hugging Face folder')
      .addOption(imageOption('an image to begin with'))
      .option('--prompt <text>', 'ask this one question and leave')
      .addOption(quantizeOption())
      .addOption(adapterOption())
      .addOption(templateOption())
      .addOption(systemOption()),
  )
    .addHelpText(
      'after',
      examples(
        'chat runs/llava --image photo.jpg',
        'chat runs/llava --image photo.jpg --prompt "Is there a red cube?"',
      ),
    )
    .action(async (folder: string, { quantize, adapter, template, system, ...flags }: SampleFlags & ChatFlags) => {
      const options = sampleOptions(flags);
      if (flags.prompt !== undefined) {
        return answerOnce(
          session,
          { folder, quantize, adapter, template, system },
          { text: flags.prompt, images: flags.image },
          options,
        );
      }
      if (!process.stdin.isTTY) {
        throw new TesseraError({
          code: 'cli/no-terminal',
          message: 'a conversation needs a terminal',
          expected: '--prompt <text>, or a terminal to type into',
          remedy: 'ask one question with --prompt',
        });
      }
      await checkImages(flags.image);
      await withChat(session, { folder, quantize, adapter, template, system }, (chat) =>
        converse(session, chat, flags.image, options),
      );
    });

const help = '/image <file> shows an image · /new forgets the conversation · /exit leaves · Ctrl-C stops an answer';

/** Reads turns from the terminal until the user leaves. Ctrl-C stops an answer, and at the prompt it leaves. */
async function converse(
  session: Session,
  chat: Conversation,
  first: readonly string[],
  options: SayOptions,
): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ', signal: session.signal });
  let images = [...first];
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()));
  session.log.info(help);
  lines.prompt();
  for await (const line of lines) {
    const text = line.trim();
    const [, image] = /^\/image\s+(.+)$/.exec(text) ?? [];
    if (text === '/exit') break;
    if (text === '/new') {
      chat.forget();
      images = [];
    } else if (image) {
      if (await told(session, checkImages([image]))) images.push(image);
    } else if (text.startsWith('/')) session.log.info(help);
    else if (text !== '') {
      answering = new AbortController();
      const signal = AbortSignal.any([answering.signal, session.signal]);
      // What is wrong with a turn, such as one too many for the model, leaves its images for the next.
      if (await told(session, say(session, chat, { text, images }, options, signal))) images = [];
      answering = undefined;
    }
    lines.prompt();
  }
  lines.close();
}

/** Whether work within a conversation came to its end; what is wrong with it is told and does not end the conversation. */
async function told(session: Session, work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    session.fault(error);
    return false;
  }
}
