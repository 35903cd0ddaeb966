import { Command } from 'commander';
import type { Quantization } from '../../../generate/index.ts';
import { loadParts } from '../answer.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, examples, imageOption, quantizeOption, systemOption, templateOption } from '../verb.ts';

interface ScoreFlags {
  image: string[];
  prompt: string;
  answer: string;
  quantize?: Quantization;
  adapter?: string;
  template?: string;
  system?: string;
}

export const scoreVerb: Verb = (session) =>
  new Command('score')
    .description('log-probabilities, token by token, of a given answer')
    .argument('<model>', 'a run folder or a Hugging Face folder')
    .requiredOption('--prompt <text>', 'the question')
    .requiredOption('--answer <text>', 'the answer to score')
    .addOption(imageOption('an image the question is about'))
    .addOption(quantizeOption())
    .addOption(adapterOption())
    .addOption(templateOption())
    .addOption(systemOption())
    .addHelpText('after', examples('score runs/llava --image photo.jpg --prompt "Is there a cube?" --answer "Yes."'))
    .action(async (folder: string, { prompt, answer, image, ...model }: ScoreFlags) => {
      const { scoreAnswer } = await import('../../../generate/index.ts');
      const tokens = await scoreAnswer(await loadParts(session, { folder, ...model }), {
        prompt,
        answer,
        images: image,
      });
      const total = tokens.reduce((sum, token) => sum + token.logProb, 0);
      session.result({ tokens, total }, () =>
        table(
          [
            { title: 'token' },
            { title: 'id', align: 'right' },
            { title: 'log p', align: 'right' },
            { title: 'p', align: 'right' },
          ],
          [
            ...tokens.map((t) => [JSON.stringify(t.text), `${t.id}`, t.logProb.toFixed(4), probability(t.logProb)]),
            ['all', '', total.toFixed(4), probability(total)],
          ],
        ),
      );
    });

/** Four decimals, with an exponent where they would all be zeros. */
function probability(logProb: number): string {
  const p = Math.exp(logProb);
  return p > 0 && p < 1e-4 ? p.toExponential(2) : p.toFixed(4);
}
