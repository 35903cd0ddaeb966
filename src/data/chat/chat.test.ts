import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Turn } from '../row.ts';
import { loadTokenizer } from '../tokenize/index.ts';
import {
  builtinTemplate,
  builtinTemplateNames,
  chatTokens,
  createTemplate,
  findTemplate,
  loadTemplate,
  promptWords,
  renderChat,
  renderedText,
  type Segment,
  stopStrings,
} from './index.ts';

const fixtures = new URL('../../../test/fixtures/', import.meta.url).pathname;
const tokenizer = await loadTokenizer(`${fixtures}tokenize/tiny`);
const tokens = chatTokens(tokenizer, '<image>');

interface HfMessage {
  role: Turn['role'];
  content: { type: 'text' | 'image'; text?: string }[];
}
const turnsOf = (messages: readonly HfMessage[]): Turn[] =>
  messages.map(({ role, content }) => ({
    role,
    parts: content.map((part) =>
      part.type === 'image' ? { type: 'media', media: 0 } : { type: 'text', text: part.text ?? '' },
    ),
  }));
const says = (role: Turn['role'], text: string): Turn => ({ role, parts: [{ type: 'text', text }] });
const asks = (...images: number[]): Turn => ({
  role: 'user',
  parts: [...images.map((media) => ({ type: 'media', media }) as const), { type: 'text', text: 'What is it?' }],
});
const supervised = (segments: readonly Segment[]) =>
  segments
    .map((segment) => (segment.supervised ? segment.text : '|'))
    .join('')
    .replace(/\|+/g, '|');
const withoutTags = (source: string) => source.replace(/\{%-? *(end)?generation *-?%\}/g, '');

const rendered = JSON.parse(readFileSync(`${fixtures}chat/rendered.json`, 'utf8')) as {
  template: string;
  messages: HfMessage[];
  text: string;
  prompt: string;
}[];

describe('built-in templates', () => {
  test.each(rendered)('$template prints what the reference prints', ({ template, messages, text, prompt }) => {
    const turns = turnsOf(messages);
    const chat = builtinTemplate(template);
    expect(renderedText(renderChat(chat, turns, tokens))).toBe(text);
    expect(renderedText(renderChat(chat, turns.slice(0, -1), tokens, { generationPrompt: true }))).toBe(prompt);
  });

  test.each([
    ['plain', '<image>A cube.\n', '|A cube.\n'],
    [
      'llava-v0',
      'A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and ' +
        "polite answers to the human's questions.\n\n### Human: <image>\nWhat is it?\n### Assistant: A cube.\n### ",
      '|###|### Assistant: A cube.\n### ',
    ],
    [
      'llava-v1',
      'A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and ' +
        "polite answers to the human's questions. USER: <image>\nWhat is it? ASSISTANT: A cube.</s>",
      '| A cube.</s>',
    ],
    [
      'llava-1.5',
      'A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and ' +
        "polite answers to the user's questions. USER: <image>\nWhat is it? ASSISTANT: A cube.</s>",
      '| A cube.</s>',
    ],
  ])('%s is the published string, and supervises its answers', (name, text, answers) => {
    const segments = renderChat(builtinTemplate(name), [asks(0), says('assistant', 'A cube.')], tokens);
    expect(renderedText(segments)).toBe(text);
    expect(supervised(segments)).toBe(answers);
  });

  // `text` is for rows without images.
  test.each(builtinTemplateNames.filter((name) => name !== 'text'))(
    '%s: a generation prompt is how the answered conversation begins',
    (name) => {
      const chat = builtinTemplate(name);
      const prompt = renderedText(renderChat(chat, [asks(0)], tokens, { generationPrompt: true }));
      const whole = renderedText(renderChat(chat, [asks(0), says('assistant', 'A cube.')], tokens));
      expect(whole.startsWith(prompt)).toBe(true);
    },
  );

  test('text: only what the assistant says, and the end', () => {
    const turns = [says('user', 'Why?'), says('assistant', 'A cube.')];
    expect(renderedText(renderChat(builtinTemplate('text'), turns, tokens))).toBe('A cube.</s>');
    expect(() => renderChat(builtinTemplate('text'), [asks(0), says('assistant', 'A cube.')], tokens)).toThrow(
      expect.objectContaining({ code: 'chat/image-count' }),
    );
  });

  test('a system turn takes the place of the standard sentence', () => {
    const turns = [says('system', 'Be brief.'), says('user', 'Why?')];
    const text = renderedText(renderChat(builtinTemplate('llava-1.5'), turns, tokens, { generationPrompt: true }));
    expect(text).toBe('Be brief. USER: Why? ASSISTANT:');
  });

  test('one image goes to the front of its turn, several stay in place', () => {
    const text = (turn: Turn) =>
      renderedText(renderChat(builtinTemplate('llava-1.5'), [says('system', 'S'), turn], tokens));
    const part = (word: string) => ({ type: 'text', text: word }) as const;
    const image = (media: number) => ({ type: 'media', media }) as const;
    expect(text({ role: 'user', parts: [part('What is\n'), image(0)] })).toBe('S USER: <image>\nWhat is ');
    const both = { role: 'user', parts: [image(0), part(' or '), image(1), part('?')] } as const;
    expect(text(both)).toBe('S USER: <image> or <image>? ');
  });

  test.each([
    ['plain', ['\n']],
    ['llava-v0', ['###']],
    ['llava-v1', ['</s>']],
    ['llava-1.5', ['</s>']],
    ['flamingo', ['<|endofchunk|>']],
  ])('%s stops at %j', (name, stops) => {
    expect(stopStrings(builtinTemplate(name), tokens)).toEqual(stops);
  });

  test('flamingo asks about the image before it, and ends the text of each', () => {
    const withEnd = { ...tokens, specials: [...tokens.specials, '<|endofchunk|>'] };
    const part = (text: string) => ({ type: 'text', text }) as const;
    const shows = (media: number, ...after: readonly string[]): Turn => ({
      role: 'user',
      parts: [{ type: 'media', media }, ...after.map(part)],
    });
    const shot = [shows(0, 'Is it red?'), says('assistant', 'Yes.'), shows(1, 'Is it blue?'), says('assistant', 'No.')];
    const segments = renderChat(builtinTemplate('flamingo'), shot, withEnd);
    expect(renderedText(segments)).toBe(
      '<image>Question: Is it red? Answer: Yes.<|endofchunk|><image>Question: Is it blue? Answer: No.<|endofchunk|>',
    );
    expect(supervised(segments)).toBe('| Yes.<|endofchunk|>| No.<|endofchunk|>');
    const page = [
      { role: 'user', parts: [part('A table.'), { type: 'media', media: 0 }] } as const,
      says('assistant', 'Two cubes.'),
      shows(1),
    ];
    expect(renderedText(renderChat(builtinTemplate('flamingo'), page, withEnd, { generationPrompt: true }))).toBe(
      'A table.<image>Two cubes.<|endofchunk|><image>',
    );
  });

  test('the words of prompts that vocabularies learn are those of the templates', () => {
    for (const words of promptWords) {
      expect(builtinTemplateNames.some((name) => builtinTemplate(name).source.includes(words))).toBe(true);
    }
  });

  test('an unknown name is answered with the nearest', () => {
    expect(() => builtinTemplate('llava-v15')).toThrow(
      expect.objectContaining({ code: 'chat/template-name', remedy: 'did you mean llava-v1?' }),
    );
  });
});

describe('provenance', () => {
  const chat = builtinTemplate('llava-1.5');

  test('special tokens spelled in a message stay text', () => {
    const turns = [asks(0), says('assistant', 'A </s> is <image>.')];
    const segments = renderChat(chat, turns, tokens);
    expect(segments.filter((segment) => segment.source === 'special').map((segment) => segment.text)).toEqual([
      '<image>',
      '</s>',
    ]);
    expect(segments.find((segment) => segment.text === 'A </s> is <image>.')?.source).toBe('message');
  });

  test('placeholders take the images in reading order', () => {
    const segments = renderChat(chat, [asks(1, 0), says('assistant', 'x'), asks(2)], tokens);
    expect(segments.flatMap((segment) => segment.image ?? [])).toEqual([1, 0, 2]);
  });

  test('any message comes through whole, in a segment of its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (word) => {
        fc.pre(!/[\uFDD0-\uFDD3\uFDE0-\uFDEF]/.test(word));
        const segments = renderChat(chat, [says('user', 'q'), says('assistant', word)], tokens);
        const messages = segments.filter((segment) => segment.source === 'message' && segment.supervised);
        expect(messages.map((segment) => segment.text)).toEqual(word.trim() === '' ? [] : [word.trim()]);
        expect(renderedText(segments).endsWith(`ASSISTANT: ${word}</s>`)).toBe(true);
      }),
    );
  });

  test('the characters that serve as marks are refused', () => {
    expect(() => renderChat(chat, [says('user', 'a\uFDD1b')], tokens)).toThrow(
      expect.objectContaining({ code: 'chat/reserved-character', got: 'U+FDD1' }),
    );
  });

  test('an image token the tokenizer does not know is refused', () => {
    expect(() => chatTokens(tokenizer, '<img>')).toThrow(expect.objectContaining({ code: 'chat/image-token' }));
  });
});

describe('templates of others', () => {
  const template = (source: string) => createTemplate(source, 'chat_template.jinja');
  const answer = [says('user', 'q'), says('assistant', ' a ')];

  test('white-space control of generation tags is kept', () => {
    const loop = (open: string, close: string) =>
      template(`{% for m in messages %}\n  [ ${open} {{ m['content'] | trim }} ${close} ]\n{% endfor %}`);
    const text = (open: string, close: string) => supervised(renderChat(loop(open, close), answer, tokens));
    expect(text('{% generation %}', '{% endgeneration %}')).toBe('| q | a |');
    expect(text('{%- generation -%}', '{%- endgeneration -%}')).toBe('|q|a|');
    expect(text('{%- generation %}', '{%endgeneration-%}')).toBe('| q | a |');
  });

  test('lines that hold a generation tag alone vanish, as other block tags do', () => {
    const source =
      "{% for m in messages %}\n  {% generation %}\n{{ m['content'] }}\n  {% endgeneration %}\n{% endfor %}";
    expect(supervised(renderChat(template(source), [says('user', 'q')], tokens))).toBe('q\n');
  });

  test('variables of the loop and macros are seen inside', () => {
    const source =
      "{% macro up(x) %}{{ x | upper }}{% endmacro %}{% for m in messages %}{% generation %}{{ loop.index }}{{ up(m['role']) }}: {{ m['content'] }}{{ eos_token }}{% endgeneration %}{% endfor %}";
    expect(renderedText(renderChat(template(source), [says('user', 'q')], tokens))).toBe('1USER: q</s>');
  });

  test('a tag in a comment marks nothing', () => {
    expect(template(withoutTags(builtinTemplate('llava-1.5').source)).supervises).toBe(false);
    expect(template('{# {% generation %} #}{{ messages[0].content }}').supervises).toBe(false);
    expect(builtinTemplate('llava-v0').supervises).toBe(true);
  });

  test('its stop is the special token after an answer', () => {
    expect(stopStrings(template(withoutTags(builtinTemplate('llava-1.5').source)), tokens)).toEqual(['</s>']);
    expect(stopStrings(template("{% for m in messages %}{{ m['content'] }} {% endfor %}"), tokens)).toEqual([]);
  });

  test.each([
    ['drops a message', "{{ messages[0]['content'] }}", 'chat/text-dropped'],
    [
      'repeats a message',
      "{% for m in messages %}{{ m['content'] }}{{ m['content'] }}{% endfor %}",
      'chat/text-dropped',
    ],
    [
      'tests a message',
      "{% for m in messages %}{{ 'x' if m['content'] == 'q' }}{{ m['content'] }}{% endfor %}",
      'chat/template-rewrites',
    ],
    ['cuts a message', "{% for m in messages %}{{ m['content'][1:] }}{% endfor %}", 'chat/template-rewrites'],
    [
      'nests generation',
      "{% for m in messages %}{% generation %}{% generation %}{{ m['content'] }}{% endgeneration %}{% endgeneration %}{% endfor %}",
      'chat/marks',
    ],
    ['refuses', "{{ raise_exception('roles must alternate') }}", 'chat/template-failed'],
  ])('one that %s is refused', (_, source, code) => {
    expect(() => renderChat(template(source), answer, tokens)).toThrow(expect.objectContaining({ code }));
  });

  test('broken syntax, images for a model of texts, and images twice are refused', () => {
    expect(() => template('{% if %}')).toThrow(expect.objectContaining({ code: 'chat/template-syntax' }));
    const { image: _, ...blind } = tokens;
    expect(() => renderChat(template("{{ messages[0]['content'] }}"), [asks(0)], blind)).toThrow(
      expect.objectContaining({ code: 'chat/no-images' }),
    );
    const doubling = template("{% for p in messages[0]['content'] %}<image>{{ p.text }}{% endfor %}");
    expect(() => renderChat(doubling, [asks(0)], tokens)).toThrow(
      expect.objectContaining({ code: 'chat/image-count' }),
    );
  });
});

describe('findTemplate and loadTemplate', () => {
  const folderWith = async (files: Record<string, string>) => {
    const folder = await mkdtemp(join(tmpdir(), 'tessera-template-'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return folder;
  };
  const config = (chat_template: unknown) => JSON.stringify({ chat_template });

  test("prefers the template's own file, then processor, then tokenizer", async () => {
    const all = {
      'chat_template.jinja': 'one',
      'processor_config.json': config('two'),
      'tokenizer_config.json': config([
        { name: 'tool', template: 'no' },
        { name: 'default', template: 'three' },
      ]),
    };
    expect((await loadTemplate(await folderWith(all))).source).toBe('one');
    const { 'chat_template.jinja': _, ...two } = all;
    expect((await loadTemplate(await folderWith(two))).source).toBe('two');
    expect((await loadTemplate(await folderWith({ ...two, 'processor_config.json': '{}' }))).source).toBe('three');
  });

  test('a template is named as a built-in one, a file or a folder', async () => {
    const folder = await folderWith({
      'a.jinja': 'one',
      'b.json': config('two'),
      'none.json': '{}',
      'tokenizer_config.json': config('three'),
    });
    expect(findTemplate('llava-v1').name).toBe('llava-v1');
    expect(findTemplate(join(folder, 'a.jinja')).source).toBe('one');
    expect(findTemplate(join(folder, 'b.json')).source).toBe('two');
    expect(findTemplate(folder).source).toBe('three');
    const code = (name: string) => expect.objectContaining({ code: `chat/template-${name}` });
    expect(() => findTemplate(join(folder, 'none.json'))).toThrow(code('file'));
    expect(() => findTemplate(join(folder, 'gone.jinja'))).toThrow(code('name'));
  });

  test('a template called like a built-in is none', () => {
    const impostor = createTemplate("{{ messages[0]['content'] }}", 'plain');
    expect(impostor).toMatchObject({ builtin: false, discards: [] });
  });

  test('knows a built-in again', async () => {
    const { source } = builtinTemplate('plain');
    const loaded = await loadTemplate(await folderWith({ 'chat_template.jinja': source }));
    expect(loaded).toMatchObject({ name: 'plain', discards: ['system', 'user'] });
    expect(createTemplate(`${source} `, 'x').builtin).toBe(false);
  });

  test('says so when there is none, or when a file is broken', async () => {
    await expect(loadTemplate(await folderWith({}))).rejects.toThrow(
      expect.objectContaining({ code: 'chat/template-missing' }),
    );
    for (const text of ['{', config(3), config([{ name: 'tool', template: 'x' }])]) {
      await expect(loadTemplate(await folderWith({ 'tokenizer_config.json': text }))).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^chat\/(json|template-file)$/) }),
      );
    }
  });
});
