import { join } from 'node:path';
import type { Random } from '../../src/base/index.ts';
import { openSafetensors, readTensor } from '../../src/models/index.ts';
import { parseHeader } from '../../src/models/weights/safetensors-header.ts';
import { spoilBytes } from './bytes.ts';
import { oddities } from './json.ts';
import { type Understood, understand } from './safetensors-rules.ts';
import type { Files, Target } from './target.ts';
import { textBytes } from './target.ts';

const dtypes = ['F32', 'F16', 'BF16', 'I64', 'U8', 'BOOL', 'F64', 'F4', 'F6_E2M3', 'F8_E4M3', 'C64'];
const widths: Readonly<Record<string, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  F64: 8,
  C64: 8,
  F4: 0.5,
  F6_E2M3: 0.75,
};

/** One entry of a header, as it is written. */
interface Entry {
  key: string;
  dtype: string;
  shape: string[];
  begin: string;
  end: string;
  more: string;
}

/** A header, by its fields, and the bytes that follow it. */
interface Draft {
  readonly entries: Entry[];
  metadata: string | undefined;
  before: string;
  after: string;
  data: number;
}

function validDraft(random: Random): Draft {
  let at = 0;
  const entries = Array.from({ length: random.int(0, 5) }, (_, i): Entry => {
    const dtype = random.pick(dtypes);
    const shape = Array.from({ length: random.int(0, 4) }, () => random.int(0, 5));
    const exact = shape.reduce((n, side) => n * side, 1) * (widths[dtype] ?? 1);
    if (!Number.isInteger(exact)) shape.push(4);
    const begin = at;
    at += Number.isInteger(exact) ? exact : exact * 4;
    return { key: `"t${i}"`, dtype: `"${dtype}"`, shape: shape.map(String), begin: `${begin}`, end: `${at}`, more: '' };
  });
  const metadata = random.chance(0.3) ? '{"format":"pt"}' : undefined;
  return { entries: random.chance(0.5) ? random.shuffle(entries) : entries, metadata, before: '', after: '', data: at };
}

const moved = (number: string, by: number) => (/^\d+$/.test(number) ? `${Number(number) + by}` : number);
const names = [
  '"t0"',
  '"t1"',
  '"\\u00740"',
  '"__proto__"',
  '""',
  '"__metadata__"',
  '"\\ud800"',
  '"\u{1f600}"',
  '"a\u0001"',
  'a',
];
const spaces = ['', ' ', '\n', '\t', '\u00a0', '\u0000', ' x', ',', '}', '{}', '\ufeff'];
const metadatas = [
  '{}',
  '{"a":1}',
  '{"a":null}',
  '{"a":"1","a":"2"}',
  'null',
  '[]',
  '"a"',
  '{"a":{}}',
  '{"":"\\u0000"}',
];

/** Ways to spoil one entry: what its fields become. */
const entryFaults: readonly ((entry: Entry, random: Random) => Partial<Entry>)[] = [
  ({ begin }, r) => ({ begin: moved(begin, r.pick([-8, -1, 1, 8])) }),
  ({ end }, r) => ({ end: moved(end, r.pick([-8, -1, 1, 8])) }),
  ({ begin, end }, r) => {
    const by = r.pick([-4, -1, 1, 4, 2 ** 40]);
    return { begin: moved(begin, by), end: moved(end, by) };
  },
  ({ begin, end }) => ({ begin: end, end: begin }),
  (_, r) => ({ begin: r.pick(oddities) }),
  (_, r) => ({ end: r.pick(oddities) }),
  ({ shape }, r) => ({ shape: shape.toSpliced(r.int(0, shape.length + 1), 1, r.pick(oddities)) }),
  ({ shape }, r) => ({ shape: [...shape, r.pick(['0', '1', '2', '3'])] }),
  ({ shape }) => ({ shape: shape.slice(1) }),
  ({ shape }) => ({ shape: [...shape, '134217728', '134217728', '134217728'] }),
  ({ shape }) => ({ shape: [...shape, '0', '9007199254740991', '9007199254740991'] }),
  (_, r) => ({ dtype: r.pick([...dtypes.map((name) => `"${name}"`), '"f32"', '"F3"', '"toString"', '"__proto__"']) }),
  (_, r) => ({ dtype: r.pick(oddities) }),
  (_, r) => ({ key: r.pick(names) }),
  (_, r) => ({ more: r.pick([',"extra":1', ',"dtype":"F32"', ',"shape":[]', ',', ',"__proto__":{}']) }),
];

function spoilDraft(draft: Draft, random: Random): void {
  const entry = draft.entries.length > 0 ? random.pick(draft.entries) : undefined;
  if (entry && random.chance(0.75)) {
    Object.assign(entry, random.pick(entryFaults)(entry, random));
    return;
  }
  switch (random.int(0, 6)) {
    case 0:
      draft.data = Math.max(0, draft.data + random.pick([-8, -1, 1, 8, 2 ** 41]));
      break;
    case 1:
      draft.metadata = random.pick(metadatas);
      break;
    case 2:
      draft.after = random.pick(spaces);
      break;
    case 3:
      draft.before = random.pick(spaces);
      break;
    case 4:
      if (entry) draft.entries.push({ ...entry });
      break;
    default:
      draft.entries.splice(random.int(0, 5), 1);
  }
}

function writeDraft({ entries, metadata, before, after }: Draft, random: Random): string {
  const parts = entries.map(({ key, dtype, shape, begin, end, more }) => {
    const fields = [`"dtype":${dtype}`, `"shape":[${shape.join()}]`, `"data_offsets":[${begin},${end}]`];
    return `${key}:{${(random.chance(0.2) ? random.shuffle(fields) : fields).join()}${more}}`;
  });
  if (metadata !== undefined) parts.splice(random.int(0, parts.length + 1), 0, `"__metadata__":${metadata}`);
  return `${before}{${parts.join()}}${after}`;
}

/** A header, sound or not, and how many bytes follow it. */
function makeHeader(random: Random): { header: Uint8Array; data: number } {
  const draft = validDraft(random);
  const way = random.next();
  for (let n = way < 0.2 ? 0 : random.int(1, 4); n > 0; n--) spoilDraft(draft, random);
  const header = textBytes(writeDraft(draft, random));
  return { header: way > 0.7 ? spoilBytes(header, random) : header, data: draft.data };
}

function alike(read: readonly Understood[], rules: readonly Understood[], start: number): boolean {
  return (
    read.length === rules.length &&
    read.every((tensor) =>
      rules.some(
        (rule) =>
          rule.name === tensor.name &&
          rule.dtype === tensor.dtype &&
          rule.begin + start === tensor.begin &&
          rule.end + start === tensor.end &&
          rule.shape.join() === tensor.shape.join(),
      ),
    )
  );
}

/** Headers alone, in memory; the bytes of the tensors are only counted. */
export const headers: Target = {
  name: 'safetensors',
  onDisk: false,
  make(random) {
    const { header, data } = makeHeader(random);
    return new Map([
      ['header.json', header],
      ['data.length', textBytes(`${data}`)],
    ]);
  },
  read: (files) => parseHeader(header(files), dataLength(files), 'model.safetensors').tensors,
  verdict(files, read) {
    const rules = understand(header(files), dataLength(files));
    return rules !== undefined && (read === undefined || alike(read as Understood[], rules, 8 + header(files).length));
  },
};

const header = (files: Files) => files.get('header.json') as Uint8Array;
const dataLength = (files: Files) => Number(new TextDecoder().decode(files.get('data.length')));

/** Whole files, with the length before the header, read to the last tensor. */
export const wholeFiles: Target = {
  name: 'safetensors-file',
  onDisk: true,
  make(random) {
    const { header, data } = makeHeader(random);
    const length = BigInt(header.length) + random.pick([0n, 0n, 0n, 1n, -1n, 2n ** 40n, 2n ** 63n, 99_999_999n]);
    const file = new Uint8Array(8 + header.length + (data < 10_000 ? data : 0));
    new DataView(file.buffer).setBigUint64(0, BigInt.asUintN(64, length), true);
    file.set(header, 8);
    return new Map([['model.safetensors', random.chance(0.2) ? spoilBytes(file, random) : file]]);
  },
  read(_, place) {
    const file = openSafetensors(join(place, 'model.safetensors'));
    for (const { name } of file.tensors.values()) readTensor(file, name);
    return file;
  },
  verdict(files, read) {
    const file = files.get('model.safetensors') as Uint8Array;
    if (read === undefined) return undefined;
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    return understand(file.subarray(8, 8 + length), file.length - 8 - length) !== undefined;
  },
};
