import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fixture } from '../../../test/support/fixtures.ts';
import { decodeImage } from './decode.ts';
import { imageSize } from './size.ts';

const folder = fixture('image/files');
/** All but what cannot be decoded. */
const files = readdirSync(folder).filter((name) => /\.(png|jpe?g)$/.test(name) && name !== 'cut.jpg');

it.each(files)('%s: the header says the size of what is decoded', async (name) => {
  const { width, height } = await decodeImage(`${folder}/${name}`, { firstFrame: true });
  expect(imageSize(`${folder}/${name}`)).toEqual({ width, height });
});

it('refuses what is neither PNG nor JPEG', () => {
  expect(() => imageSize(new TextEncoder().encode('<html>'))).toThrow(expect.objectContaining({ code: 'image/size' }));
  expect(() => imageSize(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 2))).toThrow(
    expect.objectContaining({ code: 'image/size' }),
  );
});
