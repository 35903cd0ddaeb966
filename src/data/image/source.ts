import { TesseraError } from '../../base/index.ts';
import { lookUp, pathOfUrl, readBytes } from '../../files/index.ts';

/** Where an image comes from: a path, a `file:` URL, a `data:` URI, or its encoded bytes. */
export type ImageSource = string | URL | Uint8Array;

/** What to call a source in messages. */
export function sourceName(source: ImageSource): string {
  if (source instanceof Uint8Array) return `(${source.length} bytes in memory)`;
  const text = source.toString();
  if (!/^data:/i.test(text)) return text;
  const comma = text.indexOf(',');
  const body = text.length - comma - 1;
  if (comma < 0 || comma > 60) return `${text.slice(0, 32)}… (data URI)`;
  return `${text.slice(0, comma + 1)}… (${Math.ceil((body * 3) / 4 / 1024)} KB)`;
}

/**
 * The encoded bytes of a source.
 * @throws TesseraError `image/missing`, `image/unreadable`, `image/remote`, `image/data-uri`
 */
export async function sourceBytes(source: ImageSource): Promise<Uint8Array> {
  return sourceBytesNow(source);
}

/** As `sourceBytes`, without waiting. */
export function sourceBytesNow(source: ImageSource): Uint8Array {
  if (source instanceof Uint8Array) return source;
  const text = source.toString();
  if (/^data:/i.test(text)) return dataUriBytes(text);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text) && !/^file:/i.test(text)) {
    throw new TesseraError({
      code: 'image/remote',
      message: 'images are not fetched over the network',
      path: text,
      expected: 'a file path, a file: URL, a data: URI or bytes',
      remedy: 'download the image and give its path',
    });
  }
  return readImage(/^file:/i.test(text) ? filePath(text) : text);
}

function filePath(url: string): string {
  try {
    return pathOfUrl(url);
  } catch (cause) {
    throw new TesseraError(
      { code: 'image/unreadable', message: 'the file: URL names no local file', path: url },
      { cause },
    );
  }
}

function readImage(path: string): Uint8Array {
  if (lookUp(path)) return readBytes(path, { code: 'image/unreadable' });
  throw new TesseraError({
    code: 'image/missing',
    message: 'there is no such image',
    path,
    remedy: 'check the path, and the folder it is relative to',
  });
}

/** Decodes `data:[type][;parameter]*;base64,<body>`; other encodings carry no images. */
function dataUriBytes(uri: string): Uint8Array {
  const comma = uri.indexOf(',');
  const head = comma < 0 ? uri : uri.slice(0, comma);
  const body = comma < 0 ? '' : uri.slice(comma + 1).replace(/\s+/g, '');
  const complete = body.length > 0 && body.length % 4 !== 1 && /^[A-Za-z0-9+/]+={0,2}$/.test(body);
  if (!/;base64$/i.test(head) || !complete) {
    throw new TesseraError({
      code: 'image/data-uri',
      message: 'the data URI holds no base64 image',
      path: sourceName(uri),
      expected: 'data:image/png;base64,… with a valid base64 body',
      got: comma < 0 ? 'no comma' : `${head}, with a body of ${body.length} characters`,
    });
  }
  return Buffer.from(body, 'base64');
}
