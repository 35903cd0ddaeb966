import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { Evaluation } from '../../eval/index.ts';
import { showScores } from '../evaluate.ts';
import { runFolder } from '../folder.ts';
import { crc32c } from './crc32c.ts';
import { openEventFile } from './event-file.ts';
import { openTracker } from './tracker.ts';

const root = scratchFolder().fresh();

describe('crc32c', () => {
  // RFC 3720, appendix B.4; the bytes of each result stand there lowest first.
  it.each([
    ['32 bytes of zeroes', Uint8Array.from({ length: 32 }), 0x8a9136aa],
    ['32 bytes of ones', Uint8Array.from({ length: 32 }, () => 0xff), 0x62a8ab43],
    ['32 bytes of incrementing 00..1f', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 bytes of decrementing 1f..00', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['an iSCSI read command', readCommand(), 0xd9963a56],
  ])('%s', (_, bytes, expected) => expect(crc32c(bytes)).toBe(expected));
});

function readCommand(): Uint8Array {
  const bytes = new Uint8Array(48);
  const set = { 0: 0x01, 1: 0xc0, 16: 0x14, 22: 0x04, 27: 0x14, 31: 0x18, 32: 0x28, 40: 0x02 };
  for (const [at, byte] of Object.entries(set)) bytes[Number(at)] = byte;
  return bytes;
}

/** Records of an event file, read bit by bit and by no code of the writer. */
function records(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8), 'checksum of the length').toBe(maskedSlowly(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length), 'checksum of the data').toBe(maskedSlowly(data));
    found.push(data);
    at += length + 16;
  }
  return found;
}

/** The remainder by long division, most significant bit first as the polynomial 0x1edc6f41 is written. */
function maskedSlowly(bytes: Uint8Array): number {
  const reflect = (value: bigint, width: number) =>
    BigInt(`0b${value.toString(2).padStart(width, '0').split('').reverse().join('')}`);
  let rest = 0xffffffffn;
  for (const byte of bytes) {
    rest ^= reflect(BigInt(byte), 8) << 24n;
    for (let bit = 0; bit < 8; bit++)
      rest = rest & 0x80000000n ? ((rest << 1n) ^ 0x1edc6f41n) & 0xffffffffn : rest << 1n;
  }
  const crc = reflect(rest, 32) ^ 0xffffffffn;
  const rotated = ((crc >> 15n) | (crc << 17n)) & 0xffffffffn;
  return Number((rotated + 0xa282ead8n) & 0xffffffffn);
}

type Fields = Map<number, (bigint | Buffer)[]>;

/** Protobuf fields by number; nested messages stay bytes. */
function fields(bytes: Buffer): Fields {
  const found: Fields = new Map();
  let at = 0;
  const varint = () => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const wire = key & 7;
    const size = wire === 0 ? 0 : ({ 1: 8, 5: 4 }[wire] ?? Number(varint()));
    const value = wire === 0 ? varint() : bytes.subarray(at, at + size);
    at += size;
    found.set(key >> 3, [...(found.get(key >> 3) ?? []), value]);
  }
  return found;
}

interface Seen {
  readonly step: number;
  readonly wall: number;
  readonly version?: string;
  readonly session?: number;
  readonly scalars: Readonly<Record<string, number>>;
  readonly texts: Readonly<Record<string, string>>;
}

function read(file: string): Seen[] {
  return records(readFileSync(file)).map((record) => {
    const event = fields(record);
    const one = (message: Fields, field: number) => message.get(field)?.[0];
    const inner = (message: Fields, field: number) => fields(one(message, field) as Buffer);
    const scalars: Record<string, number> = {};
    const texts: Record<string, string> = {};
    for (const value of event.has(5) ? (inner(event, 5).get(1) ?? []) : []) {
      const entry = fields(value as Buffer);
      const tag = String(one(entry, 1));
      if (entry.has(2)) scalars[tag] = (one(entry, 2) as Buffer).readFloatLE();
      else texts[tag] = String(one(inner(entry, 8), 8));
    }
    return {
      step: Number(one(event, 2)),
      wall: (one(event, 1) as Buffer).readDoubleLE(),
      ...(event.has(3) && { version: String(one(event, 3)) }),
      ...(event.has(7) && { session: Number(one(inner(event, 7), 1)) }),
      scalars,
      texts,
    };
  });
}

const filesOf = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));

const metric = { label: '', describe: '', unit: 'share', better: 'high' } as const;
const score = (value: number | null) => ({ sighted: { value, low: null, high: null } });
const evaluation = {
  tasks: [
    {
      task: 'pope',
      metrics: [
        { ...metric, name: 'f1', headline: true },
        { ...metric, name: 'yes', headline: false },
      ],
      groups: { random: { f1: score(0.75), yes: score(0.5) }, popular: { f1: score(null) } },
    },
    {
      task: 'vqa',
      metrics: [{ ...metric, name: 'accuracy', headline: true }],
      groups: { all: { accuracy: score(0.5) } },
    },
  ],
} as unknown as Evaluation;

describe('the tracker', () => {
  const folder = join(root, 'run');

  it('writes what TensorBoard takes for scalars and texts, every record with its checksums', () => {
    const tracker = openTracker(folder, { recipe: 'system: llava\nmodel:\n  size: tiny\n' });
    tracker.scalars('align', 1, { loss: 3.25, lr: 2e-3 });
    tracker.scalars('align', 300, { loss: -0.1 });
    tracker.answers('align', 300, [
      { row: 'a.json row 3', held_out: true, pictures: [], prompt: 'Größe\n?', answer: '', expected: '<b>5</b>' },
    ]);
    tracker.answers('align', 300, []);
    const [version, start, recipe, ...rest] = read(filesOf(folder)[0] as string);
    expect(version).toMatchObject({ version: 'brain.Event:2', step: 0 });
    expect(start).toMatchObject({ session: 1, step: 0 });
    expect(recipe?.texts.recipe).toBe('    system: llava\n    model:\n      size: tiny');
    expect(rest.map(({ step, scalars }) => ({ step, scalars }))).toEqual([
      { step: 1, scalars: { 'align/loss': 3.25, 'align/lr': Math.fround(2e-3) } },
      { step: 300, scalars: { 'align/loss': Math.fround(-0.1) } },
      { step: 300, scalars: {} },
    ]);
    expect(rest[2]?.texts['align/samples']).toBe(
      '**a.json row 3**\n\n    Größe\n    ?\n\n**answer**\n\n    (empty)\n\n**expected**\n\n    <b>5</b>',
    );
    for (const { wall } of rest) expect(Math.abs(wall - Date.now() / 1000)).toBeLessThan(600);
  });

  it('takes back what a run that is resumed does again, in a file that comes later', () => {
    openTracker(folder, { past: 250 }).scalars('align', 260, { loss: 1 });
    const files = filesOf(folder);
    expect(files).toHaveLength(2);
    const [version, start, scalars] = read(files[1] as string);
    expect([version?.version, start?.session, start?.step, scalars?.step]).toEqual(['brain.Event:2', 1, 251, 260]);
  });

  it('leaves no file when nothing was shown', () => {
    openTracker(join(root, 'empty'), { recipe: 'system: x' });
    expect(readdirSync(root)).not.toContain('empty');
  });

  it('shows the headline scores, groups by name', () => {
    openTracker(join(root, 'eval'), { recipe: '' }).evaluation(6, evaluation);
    const last = read(filesOf(join(root, 'eval'))[0] as string).at(-1);
    expect(last).toMatchObject({ step: 7, scalars: { 'eval/pope/random/f1': 0.75, 'eval/vqa/accuracy': 0.5 } });
    expect(Object.keys(last?.scalars ?? {})).toHaveLength(2);
  });
});

describe('scores of a later evaluation', () => {
  const run = runFolder(join(root, 'later'));
  mkdirSync(run.path);

  it('are not shown while the run is not over, for its process shows them itself', () => {
    showScores(run, evaluation);
    expect(existsSync(run.tensorboard)).toBe(false);
  });

  it('take the place of those that training showed', () => {
    openTracker(run.tensorboard, { recipe: '' }).evaluation(40, evaluation);
    writeFileSync(run.result, JSON.stringify({ stages: [{ steps: 10 }, { steps: 30 }] }));
    showScores(run, evaluation);
    const [before = [], after = []] = filesOf(run.tensorboard).map(read);
    expect(after.map(({ step, session }) => [step, session])).toEqual([
      [0, undefined],
      [41, 1],
      [41, undefined],
    ]);
    expect(after.at(-1)?.scalars).toEqual(before.at(-1)?.scalars);
    expect(after.at(-1)?.step).toBe(before.at(-1)?.step);
  });
});

describe('event files', () => {
  it('come one after the other by name, even when the clock went back', () => {
    const folder = join(root, 'clock');
    openEventFile(folder, 0);
    const [first] = readdirSync(folder);
    const later = `events.out.tfevents.${Math.floor(Date.now() / 1000) + 5000}.elsewhere.1.0`;
    writeFileSync(join(folder, later), '');
    openEventFile(folder, 4);
    const names = readdirSync(folder).sort();
    expect(names).toHaveLength(3);
    expect(names.slice(0, 2)).toEqual([first, later]);
  });
});
