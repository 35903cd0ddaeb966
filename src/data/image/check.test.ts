import { readdirSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { TesseraError } from '../../base/index.ts';
import { checkImage } from './check.ts';
import { decodeImage } from './decode.ts';
import { fits } from './limits.ts';

const folder = scratchFolder();
const files = new URL('../../../test/fixtures/image/files/', import.meta.url).pathname;
const bytesOf = (name: string) => readFileSync(`${files}${name}`);

async function codeOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (error instanceof TesseraError) return error.code;
    throw error;
  }
}
const written = (name: string, content: unknown) => codeOf(() => checkImage(folder.write(name, content)));

/** The same PNG with all its pixels in one chunk. */
function inOneChunk(png: Buffer): Buffer {
  const kept: Buffer[] = [png.subarray(0, 8)];
  const pixels: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const end = at + 12 + png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') pixels.push(png.subarray(at + 8, end - 4));
    else kept.push(png.subarray(at, end));
  }
  const body = Buffer.concat([Buffer.from('IDAT'), ...pixels]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([...kept.slice(0, -1), length, body, sum, ...kept.slice(-1)]);
}

describe('checkImage', () => {
  it.each(readdirSync(files))('says of %s, whole and cut short, what decoding says', async (name) => {
    const bytes = bytesOf(name);
    for (const part of [1, 0.9, 0.5, 0.1]) {
      const path = folder.write(name, bytes.subarray(0, Math.ceil(part * bytes.length)));
      expect(await codeOf(() => checkImage(path)), `${part}`).toBe(await codeOf(() => decodeImage(path)));
    }
  });

  it('names what stands in the place of an image', async () => {
    expect(await written('empty.jpg', '')).toBe('image/empty');
    expect(await written('lfs.jpg', 'version https://git-lfs.github.com/spec/v1\n')).toBe('file/lfs-pointer');
    for (const [content, got] of [
      ['<!DOCTYPE html><html>', 'a web page'],
      ['<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', 'an SVG drawing'],
      ['\0\0\0\x20ftypavif', 'an AVIF image'],
    ]) {
      const path = folder.write('odd.png', content);
      await expect(checkImage(path)).rejects.toMatchObject({ code: 'image/format', got });
    }
  });

  it('refuses sizes that are not read, from the header', async () => {
    const png = Buffer.from(bytesOf('rgb.png'));
    png.writeUInt32BE(30_000, 16);
    png.writeUInt32BE(30_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    expect(await written('huge.png', png)).toBe('image/too-large');
  });

  it('takes the photos of telephones, and no size above that of a bomb', () => {
    for (const [width, height] of [
      [8_000, 6_000],
      [12_000, 9_000],
      [9_248, 6_936],
    ] as const) {
      expect(fits(width, height)).toBe(true);
    }
    expect([fits(13_377, 13_377), fits(13_378, 13_378), fits(30_000, 30_000)]).toEqual([true, false, false]);
  });

  it('refuses a PNG whose pixels have another checksum than they say', async () => {
    const png = Buffer.from(bytesOf('rgb.png'));
    const at = png.indexOf('IDAT') + 4;
    const sum = at + png.readUInt32BE(at - 8);
    png.writeUInt32BE((png.readUInt32BE(sum) ^ 1) >>> 0, sum);
    expect(await written('sum.png', png)).toBe('image/corrupt');
  });

  it('finds damage anywhere in a large PNG, in one chunk or many', async () => {
    const [width, height] = [1200, 800];
    const noise = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * i * 2654435761) >>> 13));
    const png = await sharp(noise, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    expect(png.length).toBeGreaterThan(2_000_000);
    for (const [name, whole] of [
      ['many.png', png],
      ['one.png', inOneChunk(png)],
    ] as const) {
      expect(await written(name, whole)).toBeUndefined();
      for (const share of [0.2, 0.5, 0.9]) {
        const broken = Buffer.from(whole);
        const at = Math.floor(share * broken.length);
        broken.writeUInt8(broken.readUInt8(at) ^ 1, at);
        expect(await written(name, broken), `${name} ${share}`).toBe('image/corrupt');
        expect(await written(name, Buffer.concat([whole.subarray(0, at), whole.subarray(at + 700)]))).toBe(
          'image/corrupt',
        );
      }
    }
  });

  it('calls the pages of a TIFF pages', async () => {
    const page = Buffer.from(await sharp(bytesOf('rgb.png')).tiff({ compression: 'none' }).toBuffer());
    const first = page.readUInt32LE(4);
    const next = first + 2 + 12 * page.readUInt16LE(first);
    const both = Buffer.concat([page, Buffer.alloc(page.length % 2), page.subarray(first, next + 4)]);
    both.writeUInt32LE(page.length + (page.length % 2), next);
    const path = folder.write('pages.tif', both);
    await expect(checkImage(path)).rejects.toMatchObject({ code: 'image/pages', got: '2 pages' });
  });

  it('takes images with something behind their end', async () => {
    expect(await written('tail.jpg', Buffer.concat([bytesOf('grey.jpg'), Buffer.alloc(500_000, 7)]))).toBeUndefined();
  });

  it('looks at data URIs', async () => {
    const uri = (bytes: Uint8Array) => `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`;
    expect(await codeOf(() => checkImage(uri(bytesOf('rgb.png'))))).toBeUndefined();
    expect(await codeOf(() => checkImage(uri(bytesOf('rgb.png').subarray(0, 100))))).toBe('image/corrupt');
    expect(await codeOf(() => checkImage('data:image/png;base64,AAAA'))).toBe('image/format');
    expect(await codeOf(() => checkImage('data:text/html,hi'))).toBe('image/data-uri');
    expect(await codeOf(() => checkImage(folder.path('none.png')))).toBe('image/missing');
  });
});
