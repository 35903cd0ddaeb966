import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { type ChatTokens, renderChat, renderedText } from './render.ts';
import { builtinTemplate, builtinTemplateNames, type ChatTemplate } from './template.ts';

/**
 * A template to train with: the given one when it says what is supervised, otherwise the built-in that prints the
 * same characters for a set of conversations.
 * @throws TesseraError `chat/no-supervision` when there is none; a mask of zeros never comes out
 */
export function trainingTemplate(template: ChatTemplate, tokens: ChatTokens): ChatTemplate {
  if (template.supervises) return template;
  const twin = builtinTemplateNames
    .map(builtinTemplate)
    .find((candidate) => candidate.discards.length === 0 && printsAlike(template, candidate, tokens));
  if (twin) return twin;
  throw new TesseraError({
    code: 'chat/no-supervision',
    message: 'the chat template does not say which text the model has to produce',
    path: template.name,
    expected: '{% generation %} ... {% endgeneration %} around the assistant texts',
    remedy: `add the tags to the template, or train with a built-in one: ${builtinTemplateNames.join(', ')}`,
  });
}

const text = (role: Turn['role'], ...words: string[]): Turn => ({
  role,
  parts: words.map((word) => ({ type: 'text', text: word })),
});
const picture: Turn = {
  role: 'user',
  parts: [
    { type: 'media', media: 0 },
    { type: 'text', text: 'What is it?' },
  ],
};
const probes: readonly { readonly turns: readonly Turn[]; readonly prompt: boolean }[] = [
  { turns: [text('user', 'Hello'), text('assistant', 'Hi')], prompt: false },
  { turns: [text('user', 'Hello'), text('assistant', 'Hi'), text('user', 'Who?')], prompt: true },
  { turns: [picture, text('assistant', 'A cube'), text('user', 'Red?'), text('assistant', 'Yes')], prompt: false },
  { turns: [text('system', 'Be brief'), picture], prompt: true },
];

function printsAlike(a: ChatTemplate, b: ChatTemplate, tokens: ChatTokens): boolean {
  return probes.every(({ turns, prompt }) => {
    const [left, right] = [a, b].map((template) => printed(template, turns, tokens, prompt));
    return left !== undefined && left === right;
  });
}

function printed(template: ChatTemplate, turns: readonly Turn[], tokens: ChatTokens, generationPrompt: boolean) {
  try {
    return renderedText(renderChat(template, turns, tokens, { generationPrompt }));
  } catch (error) {
    if (error instanceof TesseraError) return undefined;
    throw error;
  }
}
