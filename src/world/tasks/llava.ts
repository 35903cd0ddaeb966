import type { Random } from '../../base/index.ts';
import type { ConversationOptions, InstructionKind } from '../language/conversation.ts';
import { instruct, instructionKinds } from '../language/conversation.ts';
import type { Exchange } from '../language/reasoning.ts';
import type { Scene } from '../scene.ts';
import { imageName } from './coco.ts';
import { textDialogue } from './corpus.ts';
import { jsonList, stream, type WorldTaskRecord } from './writer.ts';

/** A row of LLaVA-Instruct-150K; rows without an image lack `image`. */
export interface LlavaRow {
  readonly id: string;
  /** One name, or several in the order of their marks. */
  readonly image?: string | readonly string[];
  readonly conversations: readonly { readonly from: 'human' | 'gpt'; readonly value: string }[];
}

/** The exchanges as LLaVA turns, with `head` and a newline before the first question. */
function turns(exchanges: readonly Exchange[], head: string): LlavaRow['conversations'] {
  return exchanges.flatMap(({ question, answer }, i) => [
    { from: 'human' as const, value: i === 0 ? `${head}\n${question}` : question },
    { from: 'gpt' as const, value: answer },
  ]);
}

/** Instruction rows about a scene's image, one for each kind that its probability grants. */
function llavaRows(
  scene: Scene,
  mix: Readonly<Record<InstructionKind, number>>,
  options: ConversationOptions,
  random: Random,
): LlavaRow[] {
  const image = imageName(scene);
  const rows: LlavaRow[] = [];
  for (const kind of instructionKinds) {
    if (!random.chance(mix[kind])) continue;
    const exchanges = instruct(scene, kind, options, random);
    if (exchanges.length === 0) continue;
    const id = `${image.slice(0, -4)}-${kind}`;
    rows.push({ id, image, conversations: turns(exchanges, '<image>') });
  }
  return rows;
}

/** A row without an image: a description in its stead, and questions that it answers; none when it answers none. */
function llavaTextRow(scene: Scene, options: ConversationOptions, random: Random): LlavaRow[] {
  const { description, exchanges } = textDialogue(scene, options, random);
  if (exchanges.length === 0) return [];
  return [{ id: `${imageName(scene).slice(0, -4)}-text`, conversations: turns(exchanges, description) }];
}

export const instructionsTask = {
  describe: 'conversations, descriptions and reasoning about the images',
  training: { file: 'llava.json', format: 'llava' },
  uses: ['kinds', 'turns', 'topics', 'cooccurrence'],
  write: (scenes, settings) => {
    const { instructions, conversation } = settings;
    const rows = scenes.flatMap((s) => llavaRows(s, instructions, conversation, stream(settings, 'instructions', s)));
    return { 'llava.json': jsonList(rows) };
  },
} as const satisfies WorldTaskRecord;

export const textInstructionsTask = {
  describe: 'conversations about descriptions, without images',
  training: { file: 'llava_text.json', format: 'llava' },
  uses: ['turns', 'topics'],
  write: (scenes, settings) => {
    const { conversation } = settings;
    const rows = scenes.flatMap((s) => llavaTextRow(s, conversation, stream(settings, 'text-instructions', s)));
    return { 'llava_text.json': jsonList(rows) };
  },
} as const satisfies WorldTaskRecord;
