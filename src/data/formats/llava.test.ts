import { describe, expect, it } from 'vitest';
import { dataFiles, talk } from '../../../test/support/data-files.ts';

const { image, read, refusals, shown } = dataFiles('a.jpg', 'b.jpg');

describe('LLaVA conversations', () => {
  it('knows no speakers but its own, not even those every object has', () => {
    const said = (from: string) => ({
      conversations: [
        { from, value: 'Hi' },
        { from: 'gpt', value: 'Hello' },
      ],
    });
    const codes = refusals('train.json', ['constructor', '__proto__'].map(said)).map(({ code }) => code);
    expect(codes).toEqual(['row/role', 'row/role']);
  });

  it('looks for stray markers and line breaks in time that grows with the text alone', () => {
    const text = `<${' '.repeat(300_000)}${'\n'.repeat(300_000)}x`;
    const [fault] = refusals('train.json', [{ image: 'a.jpg', conversations: talk(text, 'A cat.') }]);
    expect(fault).toMatchObject({ code: 'row/markers' });
    const value = `a${'\n'.repeat(300_000)}b<image>\n${'\n'.repeat(300_000)}`;
    const { rows } = read('train.json', [{ image: 'a.jpg', conversations: talk(value, 'A cat.') }]);
    expect(rows[0]?.turns[0]?.parts).toHaveLength(2);
  });

  it('binds markers to images in order, and drops the line breaks beside them', () => {
    const { rows, format } = read('train.json', [
      { id: 7, image: 'a.jpg', conversations: talk('<image>\nWhat is it?', 'A cat.', 'Sure?', 'Yes.') },
      { image: ['b.jpg', 'a.jpg'], conversations: talk('Compare <image> and <image>.', 'Alike.') },
    ]);
    expect(format).toBe('llava');
    expect(rows[0]).toEqual({
      id: '7',
      where: 'train.json row 1',
      media: [image('a.jpg')],
      turns: [
        {
          role: 'user',
          parts: [
            { type: 'media', media: 0 },
            { type: 'text', text: 'What is it?' },
          ],
        },
        { role: 'assistant', parts: [{ type: 'text', text: 'A cat.' }] },
        { role: 'user', parts: [{ type: 'text', text: 'Sure?' }] },
        { role: 'assistant', parts: [{ type: 'text', text: 'Yes.' }] },
      ],
    });
    expect(rows[1]?.media).toEqual([image('b.jpg'), image('a.jpg')]);
    expect(rows[1]?.turns[0]?.parts).toEqual([
      { type: 'text', text: 'Compare ' },
      { type: 'media', media: 0 },
      { type: 'text', text: ' and ' },
      { type: 'media', media: 1 },
      { type: 'text', text: '.' },
    ]);
  });

  it('reads text-only rows, ShareGPT names, and lines', () => {
    const record = {
      system: 'Be brief.',
      images: ['a.jpg'],
      conversations: [
        { from: 'user', value: 'Look: <image>' },
        { from: 'assistant', value: 'I see.' },
      ],
    };
    const { rows, format } = read(
      'train.jsonl',
      `${JSON.stringify({ conversations: talk('Hi', 'Hello') })}\n\n${JSON.stringify(record)}`,
    );
    expect(format).toBe('llava');
    expect(rows.map((row) => [row.where, row.media.length])).toEqual([
      ['train.jsonl line 1', 0],
      ['train.jsonl line 3', 1],
    ]);
    expect(rows[1]?.turns.map((turn) => turn.role)).toEqual(['system', 'user', 'assistant']);
  });

  it('refuses rows one by one and says how to mend them', () => {
    const faults = refusals(
      'train.json',
      [
        { image: ['a.jpg', 'b.jpg'], conversations: talk('<image> What?', 'It.') },
        { image: 'a.jpg', conversations: talk('What?', 'It.') },
        { image: 'a.jpg', conversations: talk('<img>\nWhat?', 'It.') },
        { conversations: talk('<image>\nWhat?', 'It.') },
        { image: 'c.jpg', conversations: talk('<image>\nWhat?', 'It.') },
        { conversation: talk('What?', 'It.') },
        { conversations: [{ from: 'humann', value: 'Hi' }] },
        { conversations: talk('Hi', ' ') },
        { conversations: talk('Hi') },
        { conversations: talk('Hi', 'Hello').reverse() },
        { image: 'a.jpg', conversations: [{ from: 'system', value: '<image>' }, ...talk('Hi', 'Hello')] },
        { video: 'a.mp4', conversations: talk('<video>', 'It.') },
        { image: 3, conversations: talk('Hi', 'Hello') },
        { conversations: [] },
        7,
      ],
      { format: 'llava' },
    );
    expect(shown(faults)).toMatchInlineSnapshot(`
      "2 images, 1 marker [row/markers]
        path:     train.json row 1
        expected: one <image> marker for each image
        remedy:   did you mean 1 image? otherwise write 2 markers
      1 image, 0 markers [row/markers]
        path:     train.json row 2
        expected: one <image> marker for each image
        remedy:   did you mean to begin the first user turn with <image>?
      1 image, 0 markers [row/markers]
        path:     train.json row 3
        expected: one <image> marker for each image
        remedy:   did you mean <image> instead of <img>?
      0 images, 1 marker [row/markers]
        path:     train.json row 4
        expected: one <image> marker for each image
        remedy:   did you forget the image key? text that speaks of the marker must be written otherwise
      there is no such image [row/image-missing]
        path:     train.json row 5
        expected: a file in <pictures>
        got:      c.jpg
        remedy:   check the name, and the folder of images
      conversations is missing [row/schema]
        path:     train.json row 6
        expected: array
        remedy:   did you mean conversation as conversations?
      nobody knows this speaker [row/role]
        path:     train.json row 7
        expected: human, gpt, system, user, assistant
        got:      humann
        remedy:   did you mean human?
      a turn says nothing [row/empty-turn]
        path:     train.json row 8
        got:      turn 2, the assistant's, is empty
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 9
        expected: an assistant turn at the end
        got:      a user turn at the end
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 10
        expected: a user turn
        got:      turn 1 is the assistant's
      the system message shows an image [row/image-in-system]
        path:     train.json row 11
        expected: images in the turns of user and assistant alone
        got:      an image in turn 1
      rows with video are not read [row/media]
        path:     train.json row 12
        expected: images and text
        got:      "a.mp4"
        remedy:   take single frames out of a video as images; take the row out otherwise
      image has a wrong value [row/schema]
        path:     train.json row 13
        expected: string or object or array
        got:      3
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 14
        expected: an assistant turn at the end
        got:      no turns
      the row has a wrong value [row/schema]
        path:     train.json row 15
        expected: object
        got:      7"
    `);
  });
});
