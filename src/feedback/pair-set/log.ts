import { appendFileSync, closeSync, existsSync, openSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { syncFile } from '../../files/index.ts';

/** The lines of a file that end, one by one, with the place behind each in bytes; none where there is no file. */
export function* endedLines(path: string): Generator<{ readonly text: string; readonly end: number }> {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(1 << 16);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let end = 0;
    for (let got = readSync(file, chunk); got > 0; got = readSync(file, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, got))).split('\n');
      rest = lines.pop() as string;
      for (const text of lines) {
        end += Buffer.byteLength(text) + 1;
        yield { text, end };
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Puts lines at the end of a file and makes them durable. */
export function appendLines(path: string, rows: readonly unknown[]): void {
  appendFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  syncFile(path);
}

/** Cuts a file back to so many bytes. */
export function cutBack(path: string, bytes: number): void {
  if (existsSync(path)) truncateSync(path, bytes);
  else writeFileSync(path, '');
}
