import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { imageTokens } from '../../test/support/processor.ts';
import { builtinTemplate, builtinTemplateNames, createTemplate, renderChat } from './chat/index.ts';
import { type EncodeSettings, type Example, encodePrompt, encodeRow } from './example.ts';
import { mediaPaths } from './media.ts';
import type { Outcome, Part, Row, Turn } from './row.ts';
import { createTokenizer, loadTokenizer } from './tokenize/index.ts';

const fixtures = new URL('../../test/fixtures/', import.meta.url).pathname;
const tokenizer = await loadTokenizer(`${fixtures}tokenize/tiny`);
const imageId = tokenizer.idOf('<image>') as number;
const settings: EncodeSettings = {
  tokenizer,
  template: builtinTemplate('llava-1.5'),
  imageToken: '<image>',
  processor: imageTokens(1, imageId),
};

interface HfMessage {
  role: Turn['role'];
  content: { type: 'text' | 'image'; text?: string }[];
}
interface Golden {
  template: string;
  messages: HfMessage[];
  ids: number[];
  labels: number[];
  mask: number[];
}
const read = (name: string) => JSON.parse(readFileSync(`${fixtures}chat/${name}.json`, 'utf8')) as Golden[];

function rowOf(turns: readonly Turn[]): Row {
  const shown = turns.flatMap((turn) => turn.parts).flatMap((part) => (part.type === 'media' ? [part.media] : []));
  const length = Math.max(-1, ...shown) + 1;
  const media = Array.from({ length }, (_, i) => ({ kind: 'image', path: `${i}.png` }) as const);
  return { id: 'r', where: 'rows.json row 1', media, turns };
}
function rowOfMessages(messages: readonly HfMessage[]): Row {
  const part = ({ type, text = '' }: HfMessage['content'][number]): Part =>
    type === 'image' ? { type: 'media', media: 0 } : { type, text };
  return rowOf(messages.map(({ role, content }) => ({ role, parts: content.map(part) })));
}
function kept(outcome: Outcome<Example>): Example {
  if ('kept' in outcome) return outcome.kept;
  throw new Error(JSON.stringify(outcome.refused));
}
function reason(outcome: Outcome<Example>) {
  return 'refused' in outcome ? outcome.refused : undefined;
}
const labelsOf = ({ ids, supervised }: Example) => Array.from(ids, (id, t) => (supervised[t] === 1 ? id : -100));
const says = (role: Turn['role'], text: string): Turn => ({ role, parts: [{ type: 'text', text }] });
const asks = (...images: number[]): Turn => ({
  role: 'user',
  parts: [...images.map((media) => ({ type: 'media', media }) as const), { type: 'text', text: 'What is there?' }],
});

describe('labels', () => {
  test.each(read('labels'))(
    '$template: ids and labels are those of the original rule',
    ({ template, messages, ids, labels }) => {
      const example = kept(encodeRow(rowOfMessages(messages), { ...settings, template: builtinTemplate(template) }));
      expect([...example.ids]).toEqual(ids);
      expect(labelsOf(example)).toEqual(labels);
    },
  );

  test.each(read('rendered'))(
    '$template: the mask is that of the generation tags',
    ({ template, messages, ids, mask }) => {
      const example = kept(encodeRow(rowOfMessages(messages), { ...settings, template: builtinTemplate(template) }));
      expect([...example.ids]).toEqual([...tokenizer.prefix, ...ids]);
      expect([...example.supervised]).toEqual([0, ...mask]);
    },
  );

  test("an answer's first target is its word with the space before it", () => {
    const { ids, supervised } = kept(
      encodeRow(rowOf([says('user', 'What?'), says('assistant', 'There is red.')]), settings),
    );
    const targets = [...ids].filter((_, t) => supervised[t] === 1).map(tokenizer.tokenOf);
    expect(targets).toEqual(['▁There', '▁is', '▁red', '.', '</s>']);
  });
});

describe('encodeRow', () => {
  test('a special token spelled by a user never becomes one', () => {
    const turns = [says('user', 'is </s> <image> <s> odd?'), says('assistant', 'yes </s><pad>')];
    const { ids, media } = kept(encodeRow(rowOf(turns), settings));
    expect(media).toEqual([]);
    const specials = [...ids].filter((id) => [...tokenizer.specials.values()].includes(id));
    expect(specials).toEqual([tokenizer.bos, tokenizer.eos]);
  });

  test('every image becomes its tokens, unsupervised, at the place its span says', () => {
    const turn = fc.array(fc.boolean(), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(turn, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 12, maxLength: 12 }),
        (shape, sizes) => {
          let next = 0;
          const turns = shape.flatMap((images) => [asks(...images.map(() => next++)), says('assistant', 'a cube')]);
          const row = rowOf(turns);
          const example = kept(
            encodeRow(row, {
              ...settings,
              processor: imageTokens(
                (shown) => sizes[Number.parseInt(mediaPaths(shown)[0] as string, 10)] as number,
                imageId,
              ),
            }),
          );
          expect(example.media.map((span) => span.media)).toEqual(row.media);
          const rows = example.media.flatMap(({ start, tokens }) =>
            Array.from({ length: tokens }, (_, k) => start + k),
          );
          expect(rows).toEqual([...example.ids.keys()].filter((t) => example.ids[t] === imageId));
          expect(rows.every((t) => example.supervised[t] === 0)).toBe(true);
          expect(example.media.map((span) => span.tokens)).toEqual(sizes.slice(0, next));
        },
      ),
    );
  });

  test('as many tokens are supervised as touch supervised characters', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...builtinTemplateNames),
        fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
        (name, answers) => {
          const template = builtinTemplate(name);
          const turns = answers.flatMap((answer) => [says('user', 'is it red?'), says('assistant', answer)]);
          const example = kept(encodeRow(rowOf(turns), { ...settings, template }));
          const segments = renderChat(template, turns, { eos: '</s>', specials: ['</s>'] });
          const targets = [...example.ids].filter((_, t) => example.supervised[t] === 1);
          const expected = segments
            .filter((segment) => segment.supervised)
            .map((segment) => segment.text)
            .join('');
          const got = tokenizer.decode(targets);
          expect(got.replaceAll(' ', '')).toBe(expected.replaceAll(' ', ''));
        },
      ),
    );
  });

  test('the opening token comes once, also when the template prints it', () => {
    const source = `{{ bos_token }}${builtinTemplate('llava-1.5').source}`;
    const row = rowOf([says('user', 'What?'), says('assistant', 'red')]);
    const plain = kept(encodeRow(row, settings));
    const printed = kept(encodeRow(row, { ...settings, template: createTemplate(source, 'x') }));
    expect([...printed.ids]).toEqual([...plain.ids]);
    expect([...plain.ids].filter((id) => id === tokenizer.bos)).toHaveLength(1);
  });

  test.each<[string, Row, Partial<EncodeSettings>, string]>([
    ['has nothing to learn', rowOf([says('user', 'What?')]), {}, 'row/no-supervised-token'],
    [
      'is too long',
      rowOf([asks(0), says('assistant', 'red')]),
      { maxLength: 60, processor: imageTokens(50) },
      'row/too-long',
    ],
    [
      'leaves an image unused',
      { ...rowOf([says('user', 'q'), says('assistant', 'a')]), media: [{ kind: 'image', path: 'a' }] },
      {},
      'row/image-count',
    ],
    ['shows an image it lacks', { ...rowOf([asks(0), says('assistant', 'a')]), media: [] }, {}, 'row/image-count'],
    [
      'shows an image to a model that takes none',
      rowOf([asks(0), says('assistant', 'a')]),
      { processor: undefined },
      'row/no-images',
    ],
    ['holds a mark', rowOf([says('user', '\uFDD0'), says('assistant', 'a')]), {}, 'chat/reserved-character'],
    ['holds half a character', rowOf([says('user', '\uD800'), says('assistant', 'a')]), {}, 'tokenize/surrogate'],
    [
      'has its system turn late',
      rowOf([says('user', 'q'), says('system', 's'), says('assistant', 'a')]),
      {},
      'chat/template-failed',
    ],
  ])('a row that %s is refused with its place', (_, row, change, code) => {
    expect(reason(encodeRow(row, { ...settings, ...change }))).toMatchObject({ code, path: 'rows.json row 1' });
  });

  test('length counts image tokens, and the limit itself is allowed', () => {
    const row = rowOf([asks(0), says('assistant', 'red')]);
    const length = kept(encodeRow(row, { ...settings, processor: imageTokens(16, imageId) })).ids.length;
    expect(
      kept(encodeRow(row, { ...settings, processor: imageTokens(16, imageId), maxLength: length })).ids,
    ).toHaveLength(length);
    expect(
      reason(encodeRow(row, { ...settings, processor: imageTokens(17, imageId), maxLength: length })),
    ).toMatchObject({
      got: `${length + 1}, 17 of them image tokens`,
    });
  });

  test('a wrong image token is a fault of the settings', () => {
    const row = rowOf([says('user', 'q'), says('assistant', 'a')]);
    expect(() => encodeRow(row, { ...settings, imageToken: '<img>' })).toThrow(
      expect.objectContaining({ code: 'chat/image-token' }),
    );
  });

  test('a token that begins before the supervised text belongs to it, as its characters do', () => {
    const source =
      "{% for m in messages %}{{ m['role'] }}: {% generation %}{{ m['content'] }}{% endgeneration %}{{ eos_token }}{% endfor %}";
    const row = rowOf([says('assistant', 'red cube')]);
    const { ids, supervised } = kept(encodeRow(row, { ...settings, template: createTemplate(source, 'x') }));
    const targets = [...ids].filter((_, t) => supervised[t] === 1).map(tokenizer.tokenOf);
    expect(targets).toEqual(['▁red', '▁cube']);
  });
});

describe('a model that draws', () => {
  const draws = { ...settings, processor: { ...imageTokens(3, imageId), draws: true } };
  const turns: Turn[] = [asks(0), { role: 'assistant', parts: [{ type: 'media', media: 1 }] }];

  test.each(['llava-1.5', 'chameleon'])(
    '%s: learns the tokens of the images in its answers, and of no others',
    (name) => {
      const template = builtinTemplate(name);
      const example = kept(encodeRow(rowOf(turns), { ...draws, template }));
      const [shown, drawn] = example.media.map(({ start, tokens }) => [
        ...example.supervised.subarray(start, start + tokens),
      ]);
      expect([shown, drawn]).toEqual([
        [0, 0, 0],
        [1, 1, 1],
      ]);
      const again = [...turns, says('user', 'Again.'), says('assistant', 'No.')];
      const prompt = kept(encodePrompt(rowOf(again), { ...draws, template }));
      expect(prompt.supervised.includes(1)).toBe(false);
      expect(prompt.media).toHaveLength(2);
    },
  );

  test('and one that does not refuses such rows', () => {
    expect(reason(encodeRow(rowOf(turns), settings))).toMatchObject({
      code: 'row/image-in-answer',
      path: 'rows.json row 1',
      got: 'an image in turn 2',
    });
  });
});

describe('a model that sees from beside the text', () => {
  const { imageToken: _, processor: __, ...words } = settings;
  const beside = { ...words, processor: { ...imageTokens(0), beside: true, most: 1 } };

  test('gets the words alone, without the break behind the image, and the image at their beginning', () => {
    const shown: Turn = { role: 'user', parts: [...asks(0).parts.slice(0, 1), { type: 'text', text: '\nWhat?' }] };
    const { ids, media } = kept(encodePrompt(rowOf([shown]), beside));
    expect([...ids]).toEqual([...kept(encodePrompt(rowOf([says('user', 'What?')]), words)).ids]);
    expect(media).toMatchObject([{ input: 'ids', start: 0, tokens: 0, media: { path: '0.png' } }]);
  });

  test('and refuses more than it sees at once', () => {
    expect(reason(encodePrompt(rowOf([asks(0, 1)]), beside))).toMatchObject({ code: 'row/media-count', got: '2' });
    expect(reason(encodePrompt(rowOf([asks(0)]), beside))).toBeUndefined();
  });
});

describe('a model whose images stand in front of the text', () => {
  const front = { ...settings, processor: { ...imageTokens(3, imageId), front: true } };

  test('gets their tokens before the opening one, wherever they were shown, and the words without a mark', () => {
    const turns: Turn[] = [says('user', 'Hello.'), says('assistant', 'a cube'), asks(0), says('assistant', 'a ball')];
    const example = kept(encodeRow(rowOf(turns), front));
    const words = turns.map((turn) => ({ ...turn, parts: turn.parts.filter(({ type }) => type === 'text') }));
    const alone = kept(encodeRow(rowOf(words), settings));
    expect(alone.ids[0]).toBe(tokenizer.bos);
    expect([...example.ids]).toEqual([imageId, imageId, imageId, ...alone.ids]);
    expect([...example.supervised]).toEqual([0, 0, 0, ...alone.supervised]);
    expect(example.media).toMatchObject([{ input: 'ids', start: 0, tokens: 3 }]);
  });

  test('gets them in front of the text that is answered, where that is another one', () => {
    const texts = ({ supervised }: { supervised: boolean }) => [supervised ? 'ids' : 'sourceIds'];
    const processor = { ...front.processor, texts, opens: { ids: [0] } };
    const { ids, texts: others, media } = kept(encodePrompt(rowOf([asks(0)]), { ...front, processor }));
    expect([...ids]).toEqual([0]);
    expect([...(others?.sourceIds ?? [])].slice(0, 3)).toEqual([imageId, imageId, imageId]);
    expect(others?.sourceIds?.indexOf(imageId, 3)).toBe(-1);
    expect(media).toMatchObject([{ input: 'sourceIds', start: 0, tokens: 3 }]);
  });
});

describe('encodePrompt', () => {
  // `text` is for rows without images.
  test.each(builtinTemplateNames.filter((name) => name !== 'text'))(
    '%s: a prompt is how the training example begins',
    (name) => {
      const template = builtinTemplate(name);
      const prompt = kept(
        encodePrompt(rowOf([asks(0)]), { ...settings, template, processor: imageTokens(4, imageId) }),
      );
      const whole = kept(
        encodeRow(rowOf([asks(0), says('assistant', 'a cube')]), {
          ...settings,
          template,
          processor: imageTokens(4, imageId),
        }),
      );
      expect([...whole.ids.subarray(0, prompt.ids.length)]).toEqual([...prompt.ids]);
      expect(prompt.supervised.includes(1)).toBe(false);
      const places = ({ media }: Example) => media.map(({ media: shown, start, tokens }) => ({ shown, start, tokens }));
      expect(places(prompt)).toEqual(places(whole));
    },
  );

  test('a tokenizer without an opening token gets none', () => {
    const files = new Map(tokenizer.files);
    files.set(
      'tokenizer_config.json',
      (files.get('tokenizer_config.json') as string).replace('"add_bos_token": true', '"add_bos_token": false'),
    );
    const { ids } = kept(encodePrompt(rowOf([says('user', 'q')]), { ...settings, tokenizer: createTokenizer(files) }));
    expect([...ids]).not.toContain(tokenizer.bos);
  });
});
