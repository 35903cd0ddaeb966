import { Command } from 'commander';
import type { Quantization } from '../../../generate/index.ts';
import { answerOnce } from '../answer.ts';
import type { SampleFlags } from '../sampling.ts';
import { sampleOptions, withSampling } from '../sampling.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, examples, imageOption, quantizeOption, systemOption, templateOption } from '../verb.ts';

interface GenerateFlags {
  prompt: string;
  image: string[];
  quantize?: Quantization;
  adapter?: string;
  template?: string;
  system?: string;
}

export const generateVerb: Verb = (session) =>
  withSampling(
    new Command('generate')
      .description('answer one prompt')
      .argument('<model>', 'a run folder or a Hugging Face folder')
      .requiredOption('--prompt <text>', 'what to ask')
      .addOption(imageOption('an image to ask about'))
      .addOption(quantizeOption())
      .addOption(adapterOption())
      .addOption(templateOption())
      .addOption(systemOption()),
  )
    .addHelpText(
      'after',
      examples('generate runs/llava --image photo.jpg --prompt "What is on the table?" --temperature 0.7'),
    )
    .action(async (folder: string, { quantize, adapter, template, system, ...flags }: SampleFlags & GenerateFlags) => {
      await answerOnce(
        session,
        { folder, quantize, adapter, template, system },
        { text: flags.prompt, images: flags.image },
        sampleOptions(flags),
      );
    });
