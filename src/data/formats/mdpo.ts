import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Sample } from '../row.ts';
import { answerPair } from './answer-pair.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  img_path: z.string(),
  prompt: z.string(),
  chosen: z.string(),
  rejected: z.string(),
});

/**
 * A row of mDPO's pairs (Wang et al. 2024): `{img_path, prompt, chosen, rejected}`, the prompt written out in Vicuna's
 * words, `<system> USER: <image>\\n<question> ASSISTANT:`. They are taken off, since the template of a stage writes its own;
 * what stands in front of them is the system's turn.
 *
 * @throws TesseraError `row/schema`, `row/prompt`, `row/unread`, and those of the images and turns
 */
function promptedPair(value: unknown, where: string, folder: ImageFolder): Sample {
  const { id, img_path, prompt, chosen, rejected } = checked(schema, value, where);
  refuseUnseen(value, where, Object.keys(schema.shape), [img_path]);
  return answerPair({ id, where, ...spokenIn(prompt, where), chosen, rejected, names: [img_path] }, folder);
}

function spokenIn(prompt: string, path: string): { readonly system?: string; readonly question: string } {
  const asks = prompt.split(/\bUSER:/);
  const [before, asked] = asks;
  if (asked === undefined) return { question: prompt };
  const [question, ...answers] = asked.split(/\bASSISTANT:/);
  if (asks.length === 2 && answers.length === 1 && answers[0]?.trim() === '') {
    const system = before?.trim();
    return { ...(system && { system }), question: (question as string).trim() };
  }
  throw new TesseraError({
    code: 'row/prompt',
    message: 'the prompt is no single question in the words of Vicuna',
    path,
    expected: 'USER: … ASSISTANT: at its end, once',
    got: JSON.stringify(prompt.slice(-80)),
    remedy: 'write longer conversations as messages',
  });
}

export const mdpoFormat = recordFormat(
  'records {img_path, prompt, chosen, rejected}',
  promptedPair,
  (keys) => keys.has('img_path') && keys.has('chosen') && keys.has('rejected') && keys.has('prompt'),
);
