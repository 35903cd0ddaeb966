import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { rejectionOf } from '../../../test/support/faults.ts';
import { fixtureFile, readCases } from '../../../test/support/image-cases.ts';
import { decodeImage } from './decode.ts';

describe('decodeImage agrees with PIL', () => {
  for (const { facts, shape, bytes } of readCases('decode')) {
    const { file, alpha } = facts as { file: string; alpha?: 'white' };
    it(`${file}${alpha ? ` on ${alpha}` : ''}`, async () => {
      const image = await decodeImage(fixtureFile(file), { firstFrame: true, ...(alpha && { alpha }) });
      expect([image.height, image.width, 3]).toEqual(shape);
      const worst = image.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (bytes[i] as number))), 0);
      expect(worst).toBe(0);
    });
  }
});

describe('decodeImage agrees with PIL on BMP and TIFF', () => {
  it.each(readCases('formats').map((one) => [one.facts.file as string, one] as const))('%s', async (file, one) => {
    const image = await decodeImage(fixtureFile(`../formats/${file}`));
    expect([image.height, image.width, 3]).toEqual(one.shape);
    expect(Buffer.compare(image.data, one.bytes)).toBe(0);
  });

  it('refuses what Pillow would read otherwise, and what is cut short', async () => {
    const deep = await sharp({ create: { width: 5, height: 5, channels: 3, background: 'red' } })
      .toColourspace('rgb16')
      .tiff({ compression: 'none' })
      .toBuffer();
    expect(await rejectionOf(decodeImage(deep))).toMatchObject({
      code: 'image/format',
      got: 'a TIFF with samples of 16 bits',
    });
    for (const file of ['rgb.bmp', 'palette.bmp', 'rgb.tif']) {
      const bytes = readFileSync(fixtureFile(`../formats/${file}`));
      for (const length of [20, 60, bytes.length >> 1]) {
        expect((await rejectionOf(decodeImage(bytes.subarray(0, length)))).code, `${file} ${length}`).toBe(
          'image/corrupt',
        );
      }
    }
  });
});

describe('decodeImage reads every kind of source', () => {
  const url = fixtureFile('rgb.png');
  const bytes = readFileSync(url);

  it('path, file URL as object and text, data URI, bytes', async () => {
    const expected = await decodeImage(bytes);
    const uri = `data:image/png;base64,${bytes.toString('base64')}`;
    for (const source of [fileURLToPath(url), url, url.href, uri, uri.replace(/=+$/, ''), new Uint8Array(bytes)]) {
      expect(await decodeImage(source)).toEqual(expected);
    }
  });

  it('does not go to the network', async () => {
    expect((await rejectionOf(decodeImage('https://example.org/cat.png'))).code).toBe('image/remote');
  });

  it('checks data URIs before decoding them', async () => {
    for (const uri of ['data:image/png,abc', 'data:image/png;base64', 'data:image/png;base64,', 'data:;base64,a*bc']) {
      expect((await rejectionOf(decodeImage(uri))).code).toBe('image/data-uri');
    }
  });
});

describe('decodeImage refuses', () => {
  it('a missing file, naming it', async () => {
    const error = await rejectionOf(decodeImage('nowhere/cat.png'));
    expect(error.toJSON()).toMatchInlineSnapshot(`
      {
        "code": "image/missing",
        "message": "there is no such image",
        "path": "nowhere/cat.png",
        "remedy": "check the path, and the folder it is relative to",
      }
    `);
  });

  it('a folder', async () => {
    expect(await rejectionOf(decodeImage(fileURLToPath(fixtureFile(''))))).toMatchObject({ code: 'image/unreadable' });
  });

  it('no bytes and foreign formats, even ones the decoder library knows', async () => {
    expect((await rejectionOf(decodeImage(new Uint8Array(0)))).code).toBe('image/empty');
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    expect((await rejectionOf(decodeImage(svg))).toJSON()).toMatchInlineSnapshot(`
      {
        "code": "image/format",
        "expected": "JPEG, PNG, WebP, GIF, BMP or TIFF",
        "got": "an SVG drawing",
        "message": "this is no image in a format that is read",
        "path": "(62 bytes in memory)",
        "remedy": "draw it as PNG",
      }
    `);
    const avif = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
      .avif()
      .toBuffer();
    expect(await rejectionOf(decodeImage(avif))).toMatchObject({ code: 'image/format', got: 'an AVIF image' });
  });

  it('an animation, unless the first frame is asked for', async () => {
    for (const name of ['moving.gif', 'moving.webp']) {
      const error = await rejectionOf(decodeImage(fixtureFile(name)));
      expect(error).toMatchObject({ code: 'image/animated', got: '2 frames' });
    }
  });

  it('an image over the limit, before decoding it', async () => {
    const error = await rejectionOf(decodeImage(fixtureFile('rgb.png'), { maxPixels: 19 * 13 - 1 }));
    expect(error).toMatchObject({
      code: 'image/too-large',
      expected: 'at most 246 pixels, 65535 in a row',
      got: '19x13 = 247',
    });
    await decodeImage(fixtureFile('rgb.png'), { maxPixels: 19 * 13 });
  });

  it('a file that is cut short', async () => {
    const error = await rejectionOf(decodeImage(fixtureFile('cut.jpg')));
    expect(error).toMatchObject({ code: 'image/corrupt', expected: 'a complete JPEG file' });
    const png = readFileSync(fixtureFile('rgb.png'));
    expect((await rejectionOf(decodeImage(png.subarray(0, 60)))).code).toBe('image/corrupt');
    expect((await rejectionOf(decodeImage(png.subarray(0, 20)))).code).toBe('image/corrupt');
  });

  it('an animated PNG, which the decoder library takes for its first frame', async () => {
    const png = readFileSync(fixtureFile('rgb.png'));
    const chunk = Buffer.from([0, 0, 0, 8, ...Buffer.from('acTL'), 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    const moving = Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
    expect(await rejectionOf(decodeImage(moving))).toMatchObject({ code: 'image/animated' });
  });

  it('an image that is one long line, before decoding it', async () => {
    const line = await sharp({ create: { width: 70_000, height: 1, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(await rejectionOf(decodeImage(line))).toMatchObject({ code: 'image/too-large', got: '70000x1 = 70000' });
  });

  it('a header that promises more pixels than any memory holds', async () => {
    const png = Buffer.from(readFileSync(fixtureFile('rgb.png')));
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    expect(await rejectionOf(decodeImage(png))).toMatchObject({ code: 'image/too-large' });
  });
});
