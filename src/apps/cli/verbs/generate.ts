import { Command } from 'commander';
import { answerOnce } from '../answer.ts';
import type { SampleFlags } from '../sampling.ts';
import { sampleOptions, withSampling } from '../sampling.ts';
import type { Verb } from '../verb.ts';
import { examples, imageOption } from '../verb.ts';

export const generateVerb: Verb = (session) =>
  withSampling(
    new Command('generate')
      .description('answer one prompt')
      .argument('<model>', 'a run folder or a Hugging Face folder')
      .requiredOption('--prompt <text>', 'what to ask')
      .addOption(imageOption('a picture to ask about')),
  )
    .addHelpText(
      'after',
      examples('generate runs/llava --image photo.jpg --prompt "What is on the table?" --temperature 0.7'),
    )
    .action(async (folder: string, flags: SampleFlags & { prompt: string; image: string[] }) => {
      await answerOnce(session, folder, { text: flags.prompt, images: flags.image }, sampleOptions(flags));
    });
