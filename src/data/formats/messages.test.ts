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

  it('takes the name of an image under image, path or url, and one alone', () => {
    const shown = (piece: object) => read('m.json', [{ messages: [{ role: 'user', content: [piece] }, answer] }]);
    for (const key of ['image', 'path', 'url']) {
      expect(shown({ type: 'image', [key]: 'b.jpg' }).rows[0]?.media).toEqual([image('b.jpg')]);
    }
    expect(shown({ type: 'image', image: 'a.jpg', url: 'b.jpg' }).report.reasons[0]?.code).toBe('row/schema');
  });
});

describe('parts of a message that are not to be learned', () => {
  const ask = { role: 'user', content: 'What?' };
  const say = (text: string, more: object = {}) => ({ type: 'text', text, ...more });
  const answer = (...content: readonly object[]) => ({ role: 'assistant', content });
  const rows = (...messages: readonly object[]) => [{ messages: [ask, ...messages] }];
  const good = [ask, answer(say('No.'))] as const;

  it.each([
    ['loss', false],
    ['weight', 0],
    ['train', false],
  ])('%s: %s on every part switches the turn off', (key, value) => {
    const off = { [key]: value };
    const { rows: read1 } = read('m.json', rows(answer(say('It', off), say(' is.', off)), ...good));
    expect(read1[0]?.turns.map(({ learned }) => learned)).toEqual([undefined, false, undefined, undefined]);
    expect(refusals('m.json', rows(answer(say('It.', off))))[0]?.code).toBe('row/nothing-learned');
    const pair = { prompt: 'What?', completion: [answer(say('It.', off))] };
    expect(refusals('m.json', [pair])[0]?.code).toBe('row/nothing-learned');
  });

  it('may be said with 1 and true, but not of one part alone, against the turn, or of questions', () => {
    expect(read('m.json', rows(answer(say('It', { loss: true }), say(' is.')))).rows).toHaveLength(1);
    const code = (...messages: readonly object[]) => refusals('m.json', rows(...messages))[0]?.code;
    expect(code(answer(say('Hm.', { loss: false }), say('It.')))).toBe('row/turn-weight');
    expect(code(answer(say('It.', { weight: 0.5 })))).toBe('row/turn-weight');
    expect(code({ ...answer(say('It.', { loss: true })), weight: 0 })).toBe('row/turn-weight');
    const asked = { role: 'user', content: [say('What?', { train: true })] };
    expect(refusals('m.json', [{ messages: [asked, answer(say('It.'))] }])[0]?.code).toBe('row/turn-weight');
  });

  it('is refused under other names, as are boxes and what else training would not see', () => {
    for (const more of [
      { mask: [1] },
      { supervise: false },
      { bbox: [1, 2, 3, 4] },
      { img: 'a.jpg' },
      { thinking: 'Hm' },
    ]) {
      expect(refusals('m.json', rows(answer(say('It.', more))))[0]?.code).toBe('row/unread');
    }
    const shown = { type: 'image', image: 'a.jpg', bbox: [[1, 2, 3, 4]] };
    const asked = { role: 'user', content: [shown, say('What?', { cache_control: { type: 'ephemeral' } })] };
    expect(refusals('m.json', [{ messages: [asked, answer(say('It.'))] }])[0]).toMatchObject({
      code: 'row/unread',
      got: 'bbox: [[1,2,3,4]]',
    });
  });
});
