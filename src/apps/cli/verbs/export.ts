import { Command, Option } from 'commander';
import type { ExportOptions } from '../../../run/index.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, examples } from '../verb.ts';

export const exportVerb: Verb = (session) =>
  new Command('export')
    .description('write a trained model for other tools')
    .argument('<run>', 'a run folder or a Hugging Face folder')
    .addOption(
      new Option(
        '--to <layout>',
        'what to write: a Hugging Face folder, one ONNX graph, or the graphs that transformers.js reads',
      )
        .choices(['hf', 'onnx', 'transformers.js'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--dtype <type>', 'type of the weights')
        .choices(['float32', 'float16', 'bfloat16'])
        .default('float32'),
    )
    .requiredOption('--out <folder>', 'where to write')
    .addOption(adapterOption())
    .option('--merge', 'add adapters into the weights they stand beside')
    .addHelpText(
      'after',
      examples(
        'export runs/llava --to hf --out llava-tiny',
        'export runs/tuned --to hf --merge --dtype bfloat16 --out tuned',
        'export runs/llava --to transformers.js --out llava-web',
        'export llava-1.5-7b --adapter my-lora --to hf --merge --out merged',
      ),
    )
    .action(async (folder: string, { to, dtype, out, merge, adapter }: ExportOptions) => {
      const { exportModel } = await import('../../../run/index.ts');
      const options = { to, dtype, out, merge: merge === true, adapter };
      const files = await exportModel(folder, options);
      session.result({ files }, () => files.join('\n'));
    });
