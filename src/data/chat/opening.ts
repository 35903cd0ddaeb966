import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { answeredSegments } from './answered.ts';
import { renderedText, renderPlain } from './render.ts';
import type { ChatTokens } from './segment.ts';
import type { ChatTemplate } from './template.ts';

const question: Turn = { role: 'user', parts: [{ type: 'text', text: 'question' }] };
const answer: Turn = { role: 'assistant', parts: [{ type: 'text', text: 'answer' }] };

/**
 * What a template prints between the prompt of a question and what the model has to produce: text that is given in
 * training and missing when the model is asked. Empty for a template whose prompts end where answers begin, and for one
 * that does not render a plain question.
 */
export function unpromptedText(template: ChatTemplate, tokens: ChatTokens): string {
  if (template.discards.includes('user')) return '';
  try {
    const segments = answeredSegments(template, [question, answer], tokens);
    const first = segments.findIndex(({ supervised, turn }) => supervised && (turn === undefined || turn === 1));
    const before = renderedText(segments.slice(0, Math.max(first, 0)));
    const prompt = renderPlain(template, [question], tokens, { generationPrompt: true });
    return before.startsWith(prompt) ? before.slice(prompt.length) : '';
  } catch (error) {
    if (error instanceof TesseraError) return '';
    throw error;
  }
}
