import { describe, expect, it } from 'vitest';
import { coloursOf, halfBlocks } from './image.ts';

const [red, green, blue, grey] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [128, 128, 128],
] as const;
const image = { width: 2, height: 2, data: Uint8Array.from([red, green, blue, grey].flat()) };

describe('an image in a terminal', () => {
  it('has two pixels in a character, the upper before the lower', () => {
    const e = '\u001b';
    expect(halfBlocks(image, 2, 'true')).toEqual([
      `${e}[38;2;255;0;0;48;2;0;0;255m▀${e}[38;2;0;255;0;48;2;128;128;128m▀${e}[0m`,
    ]);
  });

  it('takes the nearest colours of the palette, greys too', () => {
    const codes = halfBlocks(image, 2, 'palette')[0]?.match(/5;\d+/g);
    expect(codes).toEqual(['5;196', '5;21', '5;46', '5;244']);
  });

  it('is shrunk by averages', () => {
    const four = { width: 4, height: 4, data: new Uint8Array(48).map((_, i) => (i < 24 ? 100 : 0)) };
    expect(halfBlocks(four, 2, 'true')[0]?.match(/2;\d+;\d+;\d+/g)?.[0]).toBe('2;100;100;100');
    const mixed = { width: 2, height: 4, data: new Uint8Array(24).map((_, i) => (i % 6 < 3 ? 100 : 0)) };
    expect(halfBlocks(mixed, 1, 'true')[0]?.match(/2;\d+;\d+;\d+/g)).toEqual(['2;50;50;50', '2;50;50;50']);
  });
});

describe('the colours of a stream', () => {
  const screen = (depth: number) => ({ isTTY: true, getColorDepth: () => depth });

  it('are those of its terminal', () => {
    expect([24, 8, 4, 1].map((depth) => coloursOf(screen(depth), {}))).toEqual(['true', 'palette', 'none', 'none']);
  });

  it('are none elsewhere, in a dumb terminal, and where nobody wants them', () => {
    expect(coloursOf({ ...screen(24), isTTY: false }, {})).toBe('none');
    expect(coloursOf(screen(24), { TERM: 'dumb' })).toBe('none');
    expect(coloursOf(screen(24), { NO_COLOR: '1' })).toBe('none');
    expect(coloursOf(screen(24), { NO_COLOR: '' })).toBe('true');
  });
});
