import { describe, expect, it } from 'vitest';
import { dataFiles } from '../../../test/support/data-files.ts';

const { image, read, refusals, shown } = dataFiles('a.jpg', 'b.jpg');

describe('OpenAI messages', () => {
  const answer = { role: 'assistant', content: 'It.' };

  it('reads text, parts, and parts that take listed images', () => {
    const uri = 'data:image/png;base64,AAAA';
    const content = [
      { type: 'text', text: 'This' },
      { type: 'image_url', image_url: { url: uri, detail: 'low' } },
      { type: 'image', image: 'b.jpg' },
      { type: 'image_url', image_url: 'a.jpg' },
    ];
    const { rows, format } = read(
      'm.jsonl',
      [
        { messages: [{ role: 'system', content: 'S' }, { role: 'user', content }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: '<image>What?' }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }] }, answer] },
      ]
        .map((record) => JSON.stringify(record))
        .join('\n'),
    );
    expect(format).toBe('messages');
    expect(rows[0]?.media).toEqual([{ kind: 'image', path: uri }, image('b.jpg'), image('a.jpg')]);
    expect(rows[0]?.turns[1]?.parts).toEqual([
      { type: 'text', text: 'This' },
      { type: 'media', media: 0 },
      { type: 'media', media: 1 },
      { type: 'media', media: 2 },
    ]);
    expect(rows[1]?.turns[0]?.parts).toEqual([
      { type: 'media', media: 0 },
      { type: 'text', text: 'What?' },
    ]);
    expect(rows[2]?.turns[0]?.parts).toEqual([{ type: 'media', media: 0 }]);
  });

  it('refuses wrong rows', () => {
    const faults = refusals(
      'm.jsonl',
      [
        { messages: [{ role: 'tool', content: 'x' }, answer] },
        { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }, answer] },
        { images: ['a.jpg', 'b.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }] }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'image' }] }, answer] },
        { messages: [{ role: 'user', content: '' }, answer] },
      ]
        .map((record) => JSON.stringify(record))
        .join('\n'),
    );
    expect(shown(faults)).toMatchInlineSnapshot(`
      "messages.0.role has a wrong value [row/schema]
        path:     m.jsonl line 1
        expected: system, user, assistant
        got:      "tool"
      messages.0.content.0.type has a wrong value [row/schema]
        path:     m.jsonl line 2
        expected: text, image_url, image
        got:      "input_audio"
      2 listed images, 1 image parts without a name [row/markers]
        path:     m.jsonl line 3
        expected: one image part for each listed image
      1 listed images, 2 image parts without a name [row/markers]
        path:     m.jsonl line 4
        expected: one image part for each listed image
      a turn says nothing [row/empty-turn]
        path:     m.jsonl line 5
        got:      turn 1, the user's, is empty"
    `);
  });
});
