import type { Example } from '../example.ts';
import { sourceName } from '../image/index.ts';
import { mediaPaths } from '../media.ts';
import type { Tokenizer } from '../tokenize/index.ts';

/** An example as plain data, for `--json`. */
export interface ExampleDescription {
  readonly id: string;
  readonly where: string;
  readonly counts: {
    readonly tokens: number;
    readonly supervised: number;
    readonly images: number;
    readonly imageTokens: number;
  };
  readonly images: readonly { readonly path: string; readonly start: number; readonly tokens: number }[];
  readonly tokens: readonly {
    readonly position: number;
    readonly id: number;
    readonly token: string;
    readonly supervised: boolean;
    /** Which of `images` the token belongs to. */
    readonly image?: number;
  }[];
}

/** Every token of an example with its mask and the image it belongs to. */
export function describeExample(example: Example, tokenizer: Tokenizer): ExampleDescription {
  const imageAt = new Map<number, number>();
  for (const [i, { start, tokens }] of example.media.entries()) {
    for (let k = 0; k < tokens; k++) imageAt.set(start + k, i);
  }
  const tokens = Array.from(example.ids, (id, position) => {
    const image = imageAt.get(position);
    const supervised = example.supervised[position] === 1;
    return { position, id, token: tokenizer.tokenOf(id), supervised, ...(image !== undefined && { image }) };
  });
  return {
    id: example.id,
    where: example.where,
    counts: {
      tokens: tokens.length,
      supervised: tokens.filter((token) => token.supervised).length,
      images: example.media.length,
      imageTokens: imageAt.size,
    },
    images: example.media.map(({ media, start, tokens }) => ({
      path: mediaPaths(media).map(sourceName).join(', '),
      start,
      tokens,
    })),
    tokens,
  };
}

export interface FormatOptions {
  /** Terminal colours; without them supervised tokens stand in brackets. */
  readonly color: boolean;
  /** Columns to wrap at. */
  readonly width?: number;
}

type Kind = 'supervised' | 'special' | 'image' | 'context';

const ansi: Readonly<Record<Kind, string>> = { supervised: '32', special: '33', image: '35', context: '2' };

/** An example for a reader: counts, a legend, then its tokens in order, each image as one entry. */
export function formatExample(example: Example, tokenizer: Tokenizer, options: FormatOptions): string {
  const { color, width = 80 } = options;
  const { counts, images, tokens } = describeExample(example, tokenizer);
  const paint = (text: string, kind: Kind) => (color ? `\u001b[${ansi[kind]}m${text}\u001b[0m` : text);
  const specialIds = new Set(tokenizer.specials.values());
  const entries = tokens.flatMap(({ position, id, token, supervised, image }): { text: string; kind: Kind }[] => {
    if (image !== undefined) {
      const span = images[image];
      return span?.start === position ? [{ text: `[image ${image}: ${span.tokens} tokens]`, kind: 'image' }] : [];
    }
    const kind = supervised ? 'supervised' : specialIds.has(id) ? 'special' : 'context';
    return [{ text: supervised && !color ? `[${printable(token)}]` : printable(token), kind }];
  });
  return [
    printable(`${example.id}  (${example.where})`),
    `${counts.tokens} tokens, ${counts.supervised} supervised, ${counts.imageTokens} of images (${counts.images})`,
    ...images.map((image, i) => paint(printable(`image ${i}: ${image.path}`), 'image')),
    color
      ? `legend: ${(['context', 'supervised', 'special', 'image'] as const).map((kind) => paint(kind, kind)).join(' ')}`
      : 'legend: [supervised]  context',
    '',
    ...wrap(entries, width).map((line) => line.map(({ text, kind }) => paint(text, kind)).join(' ')),
  ].join('\n');
}

/** Data may hold control characters, which must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\x${(c.codePointAt(0) as number).toString(16).padStart(2, '0')}`);
}

/** Lines of entries at most `width` wide; a newline token ends its line. */
function wrap<T extends { readonly text: string }>(entries: readonly T[], width: number): T[][] {
  const lines: T[][] = [];
  let line: T[] = [];
  let used = 0;
  const flush = () => {
    if (line.length > 0) lines.push(line);
    line = [];
    used = 0;
  };
  for (const entry of entries) {
    if (used + entry.text.length > width) flush();
    line.push(entry);
    used += entry.text.length + 1;
    if (/<0x0A>|Ċ$/.test(entry.text)) flush();
  }
  flush();
  return lines;
}
