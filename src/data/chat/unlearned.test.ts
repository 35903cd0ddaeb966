import { describe, expect, test } from 'vitest';
import type { Turn } from '../row.ts';
import { loadTokenizer } from '../tokenize/index.ts';
import { answeredSegments, builtinTemplate, chatTokens, createTemplate } from './index.ts';

const tokenizer = await loadTokenizer(new URL('../../../test/fixtures/tokenize/tiny', import.meta.url).pathname);
const tokens = chatTokens(tokenizer, '<image>');
const says = (role: Turn['role'], text: string, learned?: boolean): Turn => ({
  role,
  parts: [{ type: 'text', text }],
  ...(learned !== undefined && { learned }),
});
const untagged = createTemplate(
  "{% for m in messages %}{{ m.role + ': ' + m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
  'untagged',
);

describe.each([
  ['a template with tags', builtinTemplate('llava-v1')],
  ['a template without tags', untagged],
])('in %s', (_, template) => {
  const learnedText = (first?: boolean, second?: boolean) => {
    const turns = [
      says('user', 'One?'),
      says('assistant', 'red', first),
      says('user', 'Two?'),
      says('assistant', 'green', second),
    ];
    return answeredSegments(template, turns, tokens)
      .map(({ text, supervised }) => (supervised ? text : '|'))
      .join('')
      .replace(/\|+/g, '|')
      .replaceAll(' ', '');
  };

  test('an answer that is switched off is not supervised, nor its end', () => {
    expect(learnedText()).toBe('|red</s>|green</s>');
    expect(learnedText(false)).toBe('|green</s>');
    expect(learnedText(true, false)).toBe('|red</s>|');
    expect(learnedText(false, false)).toBe('|');
  });
});
