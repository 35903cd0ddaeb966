import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Part, Turn } from '../row.ts';
import { markMessage } from './marks.ts';
import { renderChat, renderPlain } from './render.ts';
import { renderShape } from './shape.ts';
import { builtinTemplate, builtinTemplateNames, createTemplate } from './template.ts';

const tokens = { bos: '<s>', eos: '</s>', specials: ['<s>', '</s>', '<image>'], image: '<image>' };
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(' before', 'after\n', '', ' ', '<image>', '</s>', '$&', "$'", '\uFDD5', '\uFDD50\uFDD5'),
);
const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 4, arbitrary: text.map((value): Part => ({ type: 'text', text: value })) },
  fc.constant<Part>({ type: 'media', media: 0 }),
);
const turns: fc.Arbitrary<Turn[]> = fc
  .array(fc.array(part, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 })
  .map((all) => all.map((parts, i): Turn => ({ role: i % 2 === 0 ? 'user' : 'assistant', parts })));

describe('a shape of conversations', () => {
  it.each(builtinTemplateNames)('gives what %s prints when it renders each by itself', (name) => {
    const template = builtinTemplate(name);
    let shaped = 0;
    fc.assert(
      fc.property(turns, fc.boolean(), (conversation, prompt) => {
        const context = (mark: (text: string, turn: number) => string) =>
          template.render({
            messages: conversation.map(({ role, parts }, at) => ({
              role,
              content: parts.map((each) =>
                each.type === 'text' ? { type: 'text', text: mark(each.text, at) } : { type: 'image' },
              ),
            })),
            bos_token: tokens.bos,
            eos_token: tokens.eos,
            add_generation_prompt: prompt,
          });
        const given = renderShape(template, conversation, [prompt], context);
        if (given === undefined) return;
        shaped++;
        expect(given).toBe(context(markMessage));
      }),
      { seed: 1, numRuns: 400 },
    );
    expect(shaped).toBeGreaterThan(50);
  });

  it('puts each text where it belongs, whatever it says', () => {
    const said = (...texts: string[]): Turn[] =>
      texts.map((value, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', parts: [{ type: 'text', text: value }] }));
    const template = builtinTemplate('llava-v1');
    for (const [a, b] of [
      ['one', 'two'],
      ['$1', '\uFDD51\uFDD5'],
    ] as const) {
      const printed = renderPlain(template, said(a, b), tokens);
      expect(printed).toContain(`USER: ${a} ASSISTANT: ${b}</s>`);
      expect(
        renderChat(template, said(a, b), tokens)
          .map((segment) => segment.text)
          .join(''),
      ).toBe(printed);
    }
  });

  it('is not taken for a template from elsewhere, nor where white space is to be trimmed', () => {
    const foreign = createTemplate('{{ messages[0].content }}', 'foreign.jinja');
    const turn = (value: string): Turn[] => [{ role: 'user', parts: [{ type: 'text', text: value }] }];
    const never = () => expect.unreachable();
    expect(renderShape(foreign, turn('a'), [], never)).toBeUndefined();
    expect(renderShape(builtinTemplate('llava-v1'), turn(' a'), [], never)).toBeUndefined();
  });
});
