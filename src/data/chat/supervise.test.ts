import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fixture } from '../../../test/support/fixtures.ts';
import { imageTokens } from '../../../test/support/processor.ts';
import { type Example, encodePrompt, encodeRow } from '../example.ts';
import type { Outcome, Row, Turn } from '../row.ts';
import { loadTokenizer } from '../tokenize/index.ts';
import { type ChatTemplate, chatTokens, createTemplate, stopStrings } from './index.ts';

const tokenizer = await loadTokenizer(fixture('tokenize/tiny'));
const tokens = chatTokens(tokenizer, '<image>');
const imageId = tokenizer.idOf('<image>') as number;
const template = (source: string) => createTemplate(source, 'chat_template.jinja');
const family = (name: string) => template(readFileSync(fixture(`chat/families/${name}.jinja`), 'utf8'));

const says = (role: Turn['role'], text: string): Turn => ({ role, parts: [{ type: 'text', text }] });
const shows = (text: string, ...images: number[]): Turn => ({
  role: 'user',
  parts: [...images.map((media) => ({ type: 'media', media }) as const), { type: 'text', text }],
});
const talk = [
  says('user', 'is it red?'),
  says('assistant', 'There is.'),
  says('user', 'a cube?'),
  says('assistant', 'a ball'),
];

function rowOf(turns: readonly Turn[]): Row {
  const shown = turns.flatMap(({ parts }) => parts.filter((part) => part.type === 'media'));
  return {
    id: 'r',
    where: 'rows.json row 1',
    media: shown.map((_, i) => ({ kind: 'image', path: `${i}.png` })),
    turns,
  };
}
const encode = (chat: ChatTemplate, turns: readonly Turn[], more = {}) =>
  encodeRow(rowOf(turns), {
    tokenizer,
    template: chat,
    imageToken: '<image>',
    processor: imageTokens(1, imageId),
    ...more,
  });
function kept(outcome: Outcome<Example>): Example {
  if ('kept' in outcome) return outcome.kept;
  throw new Error(JSON.stringify(outcome.refused));
}
/** Supervised tokens, `|` between stretches of them. */
const supervised = ({ ids, supervised: marks }: Example) =>
  Array.from(ids, (id, t) => (marks[t] === 1 ? tokenizer.tokenOf(id) : '|'))
    .join(' ')
    .replace(/(\| )+/g, '| ')
    .replace(/^\| | \|$/g, '');
const loop = (answer: string, question = "{{ 'USER: ' + m.content + ' ' }}") =>
  template(
    `{% for m in messages %}{% if m.role == 'assistant' %}${answer}{% else %}${question}{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}`,
  );
const tagged = (inside: string) => `ASSISTANT:{% generation %}${inside}{% endgeneration %}`;

describe('what ends an answer', () => {
  test.each([
    ['a space after it', loop(tagged("{{ m.content + ' ' }}")), []],
    ['spaces around it', loop(tagged("{{ ' ' + m.content + '  ' }}")), []],
    ['newlines around it', loop(tagged("{{ '\\n' + m.content + '\\n\\n' }}")), []],
    ['nothing', loop(tagged('{{ m.content }}')), []],
    ['the end token', loop(tagged('{{ m.content + eos_token }}')), ['</s>']],
    ['a space and the end token', loop(tagged("{{ m.content + ' ' + eos_token }}")), ['</s>']],
    [
      'the end token after the last alone',
      loop(tagged('{{ m.content }}{% if loop.last %}{{ eos_token }}{% endif %}')),
      ['</s>'],
    ],
    [
      'the end token after all but the last',
      loop(tagged('{{ m.content }}{% if not loop.last %}</s>{% endif %}')),
      ['</s>'],
    ],
    ['the end token outside of the tags', loop(`${tagged('{{ m.content }}')}{{ eos_token }}\n`), ['</s>']],
    ['a sign and a newline', loop(tagged("{{ m.content + '\\n###\\n' }}")), ['###']],
    ['no tags, and the end token', loop("ASSISTANT: {{ m.content + eos_token + '\\n' }}"), ['</s>']],
    ['no tags, and white space', loop("ASSISTANT: {{ m.content + ' \\n' }}"), []],
    [
      'no tags, and what opens the next turn',
      loop('<s>ASSISTANT: {{ m.content }}', '<s>USER: {{ m.content }}'),
      ['<s>'],
    ],
    ['the stock template of LLaVA-1.5', family('llava-1.5-hf'), []],
    [
      'a template that wants a system message',
      template(
        "{% if messages[0].role != 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}",
      ),
      ['</s>'],
    ],
  ])('%s', (_, chat, stops) => {
    expect(stopStrings(chat, tokens)).toEqual(stops);
  });
});

describe('the words of others', () => {
  test('a token that joins the space after an answer to the next turn is not supervised', () => {
    const example = kept(encode(family('llava-1.5-hf'), talk));
    expect(supervised(example)).toBe('▁There ▁is . | ▁a ▁ball ▁');
    expect([...example.ids].map(tokenizer.tokenOf).filter((token) => token === '▁USER')).toHaveLength(2);
  });

  test.each([
    ['a newline', "{{ m.content + '\\n' }}"],
    ['two spaces', "{{ m.content + '  ' }}"],
    ['nothing', '{{ m.content }}'],
  ])('with %s after an answer nothing of the next turn is supervised', (_, inside) => {
    const example = kept(encode(loop(tagged(inside), "{{ 'USER: ' + m.content + '\\n' }}"), talk));
    expect(supervised(example).replaceAll(/ ▁(?= |$)| <0x0A>/g, '')).toMatch(
      /^(▁There|The re) ▁is \. \| (▁a|a) ▁ball$/,
    );
  });

  test('tags around a question are refused', () => {
    const all = template('{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}');
    expect(encode(all, talk)).toMatchObject({ refused: { code: 'chat/supervises-question', got: '"is it red?"' } });
  });
});

describe('a mask without tags', () => {
  const bare = loop('ASSISTANT: {{ m.content + eos_token }}');

  test('is the words of each answer and what ends it', () => {
    expect(supervised(kept(encode(bare, talk)))).toBe('▁There ▁is . </s> | ▁a ▁ball </s>');
  });

  test('knows an answer that repeats the question, and one that spells tokens out', () => {
    const turns = [
      says('user', 'There is red'),
      says('assistant', 'There is red'),
      says('user', 'red'),
      says('assistant', 'red </s>'),
    ];
    const example = kept(encode(bare, turns));
    expect(supervised(example)).toMatch(/^▁There ▁is ▁red <\/s> \| ▁red .* <\/s>$/);
    expect([...example.ids].filter((id) => id === tokenizer.eos)).toHaveLength(2);
  });

  test('leaves an end out that only the last answer has', () => {
    const last = loop('ASSISTANT: {{ m.content }}{% if loop.last %}{{ eos_token }}{% endif %} ');
    expect(supervised(kept(encode(last, talk)))).toBe('▁There ▁is . | ▁a ▁ball </s>');
  });

  test('takes no token of the next turn for an end', () => {
    const opened = template(
      '{% for m in messages %}<pad>{{ m.role }}: {{ m.content }}{% endfor %}{% if add_generation_prompt %}<pad>assistant:{% endif %}',
    );
    expect(supervised(kept(encode(opened, talk)))).toBe('▁There ▁is . | ▁a ▁ball');
  });

  test.each([
    [
      'counts the turns',
      loop('ASSISTANT: {{ m.content }}', "{{ loop.length ~ ' USER: ' + m.content + ' ' }}"),
      'chat/mask-ambiguous',
    ],
    [
      'says which turn is the last',
      loop('ASSISTANT: {{ m.content }}', "{{ 'LAST ' if loop.index0 + 2 >= loop.length }}USER: {{ m.content }} "),
      'chat/mask-ambiguous',
    ],
    ['opens answers otherwise than it asks for them', loop('BOT: {{ m.content }}'), 'chat/mask-ambiguous'],
    ['writes answers in capitals', loop('ASSISTANT: {{ m.content | upper }}'), 'chat/template-rewrites'],
    ['replaces in answers', loop("ASSISTANT: {{ m.content | replace('is', 'was') }}"), 'chat/template-rewrites'],
    ['cuts answers', loop('ASSISTANT: {{ m.content[:4] }}'), 'chat/template-rewrites'],
    ['leaves earlier answers out', loop('ASSISTANT: {{ m.content if loop.last }}'), 'chat/text-dropped'],
    ['repeats answers', loop('ASSISTANT: {{ m.content }} ({{ m.content }})'), 'chat/text-dropped'],
  ])('is refused where a template %s', (_, chat, code) => {
    expect(encode(chat, talk)).toMatchObject({ refused: { code, path: 'rows.json row 1' } });
  });

  test('names the turn', () => {
    const outcome = encode(loop('ASSISTANT: {{ m.content }}', "{{ loop.length ~ ' USER: ' + m.content + ' ' }}"), talk);
    expect(outcome).toMatchObject({
      refused: { message: expect.stringContaining('before turn 2'), expected: '"1 USER: is it red? ASSISTANT:"' },
    });
  });

  test('is refused where thoughts of earlier answers are taken out', () => {
    const thoughtful = [says('user', 'q'), says('assistant', '<think>\nwell\n</think>\n\nyes'), ...talk];
    expect(encode(family('qwen-3'), thoughtful)).toMatchObject({ refused: { code: 'chat/marks' } });
  });
});

describe('a taught end', () => {
  const ended = (chat: ChatTemplate, turns = talk) => supervised(kept(encode(chat, turns, { addEnd: true })));

  test('is put after the last answer where the template prints none', () => {
    expect(ended(family('llava-1.5-hf'))).toBe('▁There ▁is . | ▁a ▁ball </s>');
    expect(ended(loop('ASSISTANT: {{ m.content }}\n'))).toBe('▁There ▁is . | ▁a ▁ball </s>');
    expect(ended(loop(tagged('{{ m.content }}\n')), talk.slice(0, 2))).toMatch(/is \. <\/s>$/);
  });

  test('is supervised where the template prints it outside of its tags', () => {
    const outside = loop(`${tagged("{{ ' ' + m.content }}")}{{ eos_token }}`);
    expect(supervised(kept(encode(outside, talk)))).toBe('▁There ▁is . | ▁a ▁ball');
    expect(ended(outside)).toBe('▁There ▁is . </s> | ▁a ▁ball </s>');
  });

  test('is not added to one that is there', () => {
    for (const chat of [family('vicuna'), loop(tagged("{{ ' ' + m.content + eos_token }}"))]) {
      expect(encode(chat, talk, { addEnd: true })).toEqual(encode(chat, talk));
    }
  });

  test('needs an end-of-sequence token', () => {
    const { eos: _, ...endless } = tokenizer;
    expect(() => encode(family('llava-1.5-hf'), talk, { addEnd: true, tokenizer: endless })).toThrow(
      expect.objectContaining({ code: 'chat/no-end-token' }),
    );
  });
});

describe('images in the template of a model of texts', () => {
  const text = (chat: ChatTemplate, ...turns: Turn[]) => {
    const { ids } = kept(
      encodePrompt(rowOf(turns), {
        tokenizer,
        template: chat,
        imageToken: '<image>',
        processor: imageTokens(1, imageId),
      }),
    );
    return tokenizer.decode(ids);
  };

  test.each([
    ['vicuna', 'USER: <image> \nis it red? ASSISTANT:'],
    ['llama-2', '[INST] <image> \nis it red? [/INST]'],
    ['zephyr', '<|user|>\n <image> \nis it red?</s>'],
    ['qwen-3', 'user\n <image> \nis it red?<|im_end|>'],
  ])('%s: the image stands in front of the words of its turn', (name, prompt) => {
    expect(text(family(name), shows('is it red?', 0)).replaceAll(/ (?=<)/g, '')).toContain(
      prompt.replaceAll(/ (?=<)/g, ''),
    );
  });

  test('several images, and images of later turns, stay in order', () => {
    const turns = [shows('these?', 0, 1), says('assistant', 'two'), shows('and this?', 2)];
    const outcome = encodePrompt(rowOf(turns), {
      tokenizer,
      template: family('vicuna'),
      imageToken: '<image>',
      processor: imageTokens(1, imageId),
    });
    expect(kept(outcome).media.flatMap(({ media }) => (media.kind === 'image' ? [media.path] : []))).toEqual([
      '0.png',
      '1.png',
      '2.png',
    ]);
  });

  test('letters that spell the image token in a question are no image', () => {
    const { media } = kept(encode(family('vicuna'), [shows('a <image> here?', 0), says('assistant', 'no')]));
    expect(media).toHaveLength(1);
  });

  test('a template of parts that prints words alone has them, too', () => {
    const words = template(
      "{% for m in messages %}{{ m.role }}: {% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{{ eos_token }}{% endfor %}",
    );
    expect(words.content).toBe('parts');
    expect(kept(encode(words, [shows('what?', 0), says('assistant', 'a cube')])).media).toHaveLength(1);
  });

  test('train as in a template made for them', () => {
    const example = kept(encode(family('vicuna'), [shows('is it red?', 0), says('assistant', 'There is.')]));
    expect(supervised(example)).toBe('▁There ▁is . </s>');
    expect(example.media).toHaveLength(1);
  });
});

describe('the form of contents', () => {
  test.each([
    ["{{ messages[0]['content'] }}", 'string'],
    ["{{ messages[0].content | trim }}{# tool.type == 'function' #}", 'string'],
    ['{% for p in messages[0].content %}{{ p.text }}{% endfor %}', 'parts'],
    [
      '{% if messages[0].content is string %}{{ messages[0].content }}{% else %}{{ messages[0].content[0].text }}{% endif %}',
      'parts',
    ],
    ["{% if tools %}{{ tools[0].type }}{% endif %}{{ messages[0]['content'] }}", 'string'],
  ])('of %s is %s', (source, form) => {
    expect(template(source).content).toBe(form);
  });
});
