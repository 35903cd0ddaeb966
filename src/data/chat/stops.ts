import type { Turn } from '../row.ts';
import { type ChatTokens, renderChat } from './render.ts';
import type { ChatTemplate } from './template.ts';

const says = (role: Turn['role'], text: string): Turn => ({ role, parts: [{ type: 'text', text }] });

/**
 * The strings at which an answer ends, read off the template: what it has the model produce after an answer (`</s>`,
 * `###`, a newline), or, where it does not say, the special token that follows one. Empty when nothing does.
 */
export function stopStrings(template: ChatTemplate, tokens: ChatTokens): string[] {
  const probe = [says('user', 'question'), says('assistant', 'answer'), says('user', 'question')];
  const segments = renderChat(template, template.discards.includes('user') ? probe.slice(0, 2) : probe, tokens);
  const answer = segments.findIndex((segment) => segment.source === 'message' && segment.text === 'answer');
  const after = segments.slice(answer + 1);
  const end = after.findIndex(
    (segment) => segment.source === 'message' || (template.supervises && !segment.supervised),
  );
  const tail = end < 0 ? after : after.slice(0, end);
  const special = tail.find((segment) => segment.source === 'special');
  if (special) return [special.text];
  if (!template.supervises) return [];
  const text = tail.map((segment) => segment.text).join('');
  const stop = text.trim() === '' ? text : text.trim();
  return stop === '' ? [] : [stop];
}
