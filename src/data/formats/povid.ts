import { z } from 'zod';
import type { Sample } from '../row.ts';
import { recordFormat } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { llavaRow } from './llava.ts';
import { checked } from './schema.ts';

const schema = z.looseObject({
  conversations: z.array(z.unknown()),
  rejected_conversations: z.array(z.unknown()),
});

/**
 * A record of POVID (Zhou et al. 2024): LLaVA's, with what is to be less likely as a second list of turns,
 * `{id, image, conversations, rejected_conversations}`. Gives the views `chosen` and `rejected`.
 *
 * @throws TesseraError `row/schema`, and those of LLaVA's records
 */
function povidPair(value: unknown, where: string, folder: ImageFolder): Sample {
  const { conversations, rejected_conversations, ...shared } = checked(schema, value, where);
  const view = (turns: readonly unknown[]) => llavaRow({ ...shared, conversations: turns }, where, folder);
  return { views: { chosen: view(conversations), rejected: view(rejected_conversations) } };
}

export const povidFormat = recordFormat('records {image, conversations, rejected_conversations}', povidPair, (keys) =>
  keys.has('rejected_conversations'),
);
