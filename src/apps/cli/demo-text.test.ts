import { describe, expect, it } from 'vitest';
import type { DemoAnswer, DemoEvent } from '../../run/index.ts';
import { command } from './called.ts';
import { about, closingText, eventText, type Sheet } from './demo-text.ts';

const pixels = { width: 4, height: 4, data: new Uint8Array(48).fill(200) };
const sheet = (colours: Sheet['colours'], width = 80): Sheet => ({ colours, width, decode: async () => pixels });
const image = { path: 'my pictures/0.png', truth: 'small red ball, large blue cube' };
const answer: DemoAnswer = {
  question: 'What is in the image?',
  answer: 'A red ball.',
  truth: image.truth,
  right: true,
  covers: { named: 1, of: 2 },
};
const plain = (text: string) => text.replace(/\u001b\[[\d;]*m/g, '');
const events: readonly DemoEvent[] = [
  { kind: 'welcome', seconds: [10, 300, 45] },
  { kind: 'act', act: 1, seconds: 10 },
  { kind: 'shown', image, answer },
  { kind: 'folder', folder: 'runs/demo-2', goesOn: false, taken: ['runs/demo'] },
  { kind: 'answers', done: 0, steps: 100, image, answers: [answer, { ...answer, answer: '', right: false }] },
  { kind: 'answers', done: 50, steps: 100, image, answers: [answer] },
];
const told = async (where: Sheet) => (await Promise.all(events.map((event) => eventText(event, where)))).join('\n');

describe('what the demo tells', () => {
  it('fits into the lines of a terminal, drawn or not', async () => {
    for (const where of [sheet('true'), sheet('none'), sheet('palette', 60), sheet('none', 40)]) {
      const lines = plain(await told(where)).split('\n');
      expect(lines.filter((line) => line.length > where.width)).toEqual([]);
    }
  });

  it('draws an image beside its question, the answer and the truth', async () => {
    const shown = await eventText(events[2] as DemoEvent, sheet('true'));
    const [first, second, third] = plain(shown).split('\n');
    expect(first).toBe(`${'▀'.repeat(32)}  What is in the image?`);
    expect(second).toBe(`${'▀'.repeat(32)}  A red ball.`);
    expect(third).toMatch(/^▀{32} {2}✓ right, names 1 of 2 \(truth: small red ball,/);
  });

  it('says in words what is on an image that it cannot draw, without an escape', async () => {
    const text = await told(sheet('none'));
    expect(text).not.toMatch(/[▀\u001b]/);
    expect(text).toContain('An image of: small red ball, large blue cube\nWhat is in the image?\nA red ball.\n✓ right');
    expect(text).toContain('runs/demo stays as it is.');
    expect(text).toContain('(nothing)\n✗ wrong, names 1 of 2');
    expect(text).toContain('After 50 of 100 steps, of the same image:\n  ✓ A red ball.');
  });

  it('ends with before and after, and with commands that can be pasted', () => {
    const training = { folder: 'runs/demo', status: 'done', stages: [], seconds: 1 } as const;
    const drawn = { images: 10, right: 7 };
    const before = [{ ...answer, answer: 'Is is is.', right: false }];
    const text = closingText(
      { training, shown: [], image, before, answers: [answer], drawn, seconds: 200 },
      '',
      sheet('none'),
    );
    expect(text).toMatch(/What is in the image\? +Is is is\. +✓ A red ball\. +small red ball/);
    expect(text).toContain('on 7 of 10 other');
    expect(text).toContain(`  ${command("chat runs/demo --image 'my pictures/0.png'")}\n`);
  });

  it('tells times as people do', () => {
    expect([4, 43, 99, 170, 500].map(about)).toEqual([
      'about 5 seconds',
      'about 45 seconds',
      'about 100 seconds',
      'about 3 minutes',
      'about 8 minutes',
    ]);
  });
});
