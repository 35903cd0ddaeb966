import { loadForGeneration, openConversation, scoreAnswer as scoreParts } from '../../generate/index.ts';
import { openEngine } from '../../runtime/index.ts';
import { modelFolder } from './folder.ts';
import type { Chat, Hooks, TokenScore } from './types.ts';

/** Loads a run folder or a Hugging Face folder to talk to. */
export async function openChat(folder: string, hooks: Hooks): Promise<Chat> {
  return openConversation(await loadForGeneration(modelFolder(folder), await openEngine({ log: hooks.log })));
}

/** Per-token log-probabilities of an answer to a prompt about pictures. */
export async function scoreAnswer(
  folder: string,
  row: { readonly prompt: string; readonly answer: string; readonly images: readonly string[] },
  hooks: Hooks,
): Promise<readonly TokenScore[]> {
  return scoreParts(await loadForGeneration(modelFolder(folder), await openEngine({ log: hooks.log })), row);
}
