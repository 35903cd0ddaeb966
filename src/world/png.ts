import { crc32, deflateSync } from 'node:zlib';
import { TesseraError } from '../base/index.ts';
import type { Image } from './render.ts';

const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

/**
 * An image as an eight-bit RGB PNG file (ISO/IEC 15948).
 * @throws TesseraError `png/length` when the data does not fill the image
 */
export function encodePng({ width, height, data }: Image): Uint8Array {
  if (data.length !== width * height * 3) {
    throw new TesseraError({
      code: 'png/length',
      message: 'the pixels do not fill the image',
      expected: `${width * height * 3} bytes for ${width} x ${height}`,
      got: `${data.length}`,
    });
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(filtered(width, height, data), { level: 6 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Every row after its filter byte; "up" makes rows of one colour all zero. */
function filtered(width: number, height: number, data: Uint8Array): Uint8Array {
  const stride = width * 3;
  const out = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++) {
    const at = y * (stride + 1);
    out[at] = 2;
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      out[at + 1 + x] = (data[i] as number) - (y > 0 ? (data[i - stride] as number) : 0);
    }
  }
  return out;
}

function chunk(type: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}
