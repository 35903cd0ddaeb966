import { Command } from 'commander';
import { TesseraError } from '../../../base/index.ts';
import type { Quantization } from '../../../generate/index.ts';
import { answerOnce, checkImages, loadParts, type ModelFlags, type Question } from '../answer.ts';
import type { SampleFlags } from '../sampling.ts';
import { sampleOptions, withSampling } from '../sampling.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';
import {
  adapterOption,
  examples,
  imageOption,
  quantizeOption,
  systemOption,
  templateOption,
  wholeIn,
} from '../verb.ts';

interface GenerateFlags {
  prompt: string;
  image: string[];
  out?: string;
  count: number;
  quantize?: Quantization;
  adapter?: string;
  template?: string;
  system?: string;
}

export const generateVerb: Verb = (session) =>
  withSampling(
    new Command('generate')
      .description('answer one prompt, or draw what it asks for')
      .argument('<model>', 'a run folder or a Hugging Face folder')
      .requiredOption('--prompt <text>', 'what to ask')
      .addOption(imageOption('an image to ask about'))
      .option('--out <file.png>', 'draw, by a model that can, and write the image here')
      .option(
        '--count <n>',
        'with --out: draw so many, from random streams of their own, on one sheet',
        wholeIn(1, 64),
        1,
      )
      .addOption(quantizeOption())
      .addOption(adapterOption())
      .addOption(templateOption())
      .addOption(systemOption()),
  )
    .addHelpText(
      'after',
      examples(
        'generate runs/llava --image photo.jpg --prompt "What is on the table?" --temperature 0.7',
        'generate runs/chameleon --prompt "Draw a red circle." --out image.png --temperature 1 --count 9',
      ),
    )
    .action(async (folder: string, flags: SampleFlags & GenerateFlags) => {
      const { quantize, adapter, template, system, prompt, image, out } = flags;
      const model = { folder, quantize, adapter, template, system };
      const question = { text: prompt, images: image };
      if (out === undefined) await answerOnce(session, model, question, sampleOptions(flags));
      else await drawOnce(session, model, question, { ...flags, out });
    });

/** Draws and writes the images as one PNG file. */
async function drawOnce(
  session: Session,
  model: ModelFlags,
  question: Question,
  flags: SampleFlags & { readonly out: string; readonly count: number },
): Promise<void> {
  const { out, count } = flags;
  checkDrawing(flags);
  await checkImages(question.images);
  const { drawImages } = await import('../../../generate/index.ts');
  const { contactSheet } = await import('../../../data/index.ts');
  const { encodePng } = await import('../../../world/index.ts');
  const { writeFileAtomically } = await import('../../../files/index.ts');
  const parts = await loadParts(session, model);
  const { maxTokens: _, stop: __, ...sampling } = sampleOptions(flags);
  const { signal } = session;
  const asked = { prompt: question.text, images: question.images };
  const images = await drawImages(parts, asked, { ...sampling, count, signal });
  const sheet = contactSheet(images);
  writeFileAtomically(out, (write) => write(encodePng(sheet)));
  session.result({ out, images: images.length }, () => out);
}

/** @throws TesseraError `cli/drawing` */
function checkDrawing({ out, count, temperature }: { out: string; count: number; temperature: number }): void {
  const fault = (message: string, expected: string, got: string) =>
    new TesseraError({ code: 'cli/drawing', message, expected, got });
  if (!out.toLowerCase().endsWith('.png'))
    throw fault('images are written as PNG files', 'a name that ends in .png', out);
  if (count === 1 || temperature > 0) return;
  throw fault('without chance all images would be the same', '--temperature above 0 with --count', '0');
}
