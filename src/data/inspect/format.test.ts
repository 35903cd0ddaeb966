import { describe, expect, test } from 'vitest';
import { imageTokens } from '../../../test/support/processor.ts';
import { builtinTemplate } from '../chat/index.ts';
import { type Example, encodeRow } from '../example.ts';
import { loadTokenizer } from '../tokenize/index.ts';
import { describeExample, formatExample } from './format.ts';

const tokenizer = await loadTokenizer(new URL('../../../test/fixtures/tokenize/tiny', import.meta.url).pathname);

function exampleOf(question: string): Example {
  const outcome = encodeRow(
    {
      id: 'scene-7',
      where: 'train.json row 7',
      media: [{ kind: 'image', path: 'scenes/7.png' }],
      turns: [
        { role: 'system', parts: [{ type: 'text', text: 'There.' }] },
        {
          role: 'user',
          parts: [
            { type: 'media', media: 0 },
            { type: 'text', text: question },
          ],
        },
        { role: 'assistant', parts: [{ type: 'text', text: 'a red cube' }] },
      ],
    },
    { tokenizer, template: builtinTemplate('llava-1.5'), imageToken: '<image>', processor: imageTokens(4) },
  );
  if ('refused' in outcome) throw new Error(outcome.refused.message);
  return outcome.kept;
}

describe('formatExample', () => {
  test('without colour, brackets show the mask and an image is one entry', () => {
    expect(formatExample(exampleOf('What is left?'), tokenizer, { color: false, width: 60 })).toMatchInlineSnapshot(`
      "scene-7  (train.json row 7)
      22 tokens, 4 supervised, 4 of images (1)
      image 0: scenes/7.png
      legend: [supervised]  context

      <s> ▁There . ▁USER : ▁ [image 0: 4 tokens] ▁ <0x0A>
      What ▁is ▁left ? ▁ASSISTANT : [▁a] [▁red] [▁cube] [</s>]"
    `);
  });

  test('with colour, the same words are painted and nothing else changes', () => {
    const plain = formatExample(exampleOf('What?'), tokenizer, { color: false, width: 200 });
    const painted = formatExample(exampleOf('What?'), tokenizer, { color: true, width: 200 });
    expect(painted).toContain('\u001b[32m▁red\u001b[0m');
    expect(painted).toContain('\u001b[35m[image 0: 4 tokens]\u001b[0m');
    const tokensOf = (text: string) => text.split('\n\n')[1]?.replace(/\u001b\[\d+m/g, '');
    expect(tokensOf(painted)).toBe(tokensOf(plain)?.replace(/\[(▁?[\w</>]+)\](?= |$)/gm, '$1'));
  });

  test('wraps at the width', () => {
    const lines = formatExample(exampleOf('What is left of the red cube?'), tokenizer, {
      color: false,
      width: 30,
    }).split('\n');
    for (const line of lines.slice(lines.indexOf('') + 1)) expect(line.length).toBeLessThanOrEqual(30);
  });

  test('control characters in data do not reach the terminal', () => {
    const example = { ...exampleOf('What?'), id: 'a\u001b[2Jb' };
    expect(formatExample(example, tokenizer, { color: false })).toContain('a\\x1b[2Jb');
  });
});

describe('describeExample', () => {
  test('says of each token what it is', () => {
    const { counts, images, tokens } = describeExample(exampleOf('What?'), tokenizer);
    expect(counts).toEqual({ tokens: tokens.length, supervised: 4, images: 1, imageTokens: 4 });
    const start = tokens.findIndex((token) => token.image === 0);
    expect(images).toEqual([{ path: 'scenes/7.png', start, tokens: 4 }]);
    expect(tokens.filter((token) => token.supervised).map((token) => token.token)).toEqual([
      '▁a',
      '▁red',
      '▁cube',
      '</s>',
    ]);
    expect(tokens[0]).toEqual({ position: 0, id: 1, token: '<s>', supervised: false });
  });
});
