import { answerEndings } from './endings.ts';
import type { ChatTokens } from './segment.ts';
import type { ChatTemplate } from './template.ts';

/**
 * The strings at which an answer ends, read off the template: what closes the assistant's turn (`</s>`, `<|im_end|>`,
 * `###`), and the special token that opens the turn after it. Empty when nothing does; white space that a template prints
 * after an answer ends none.
 */
export function stopStrings(template: ChatTemplate, tokens: ChatTokens): string[] {
  const { closing, taught, texts, following } = answerEndings(template, tokens);
  return [...new Set([...taught, ...closing, ...texts, ...following])];
}
