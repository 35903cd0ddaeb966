// The rules of the safetensors format, stated once more and otherwise: native JSON, a list of tokens, exact integers.
// What the reader of tessera accepts is held against this.

/** Bits of one element. */
const bitsOf: Readonly<Record<string, bigint>> = {
  ...{ F4: 4n, F6_E2M3: 6n, F6_E3M2: 6n, BOOL: 8n, U8: 8n, I8: 8n },
  ...{ F8_E5M2: 8n, F8_E4M3: 8n, F8_E5M2FNUZ: 8n, F8_E4M3FNUZ: 8n, F8_E8M0: 8n },
  ...{ I16: 16n, U16: 16n, F16: 16n, BF16: 16n, I32: 32n, U32: 32n, F32: 32n },
  ...{ I64: 64n, U64: 64n, F64: 64n, C64: 64n },
};

export interface Understood {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Integers that JavaScript holds exactly; tessera reads no others. */
const limit = 2n ** 53n;
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/gu;

/** The tensors of a header in the order of their bytes, or undefined when it breaks a rule. */
export function understand(header: Uint8Array, dataBytes: number): readonly Understood[] | undefined {
  if (header[0] !== 0x7b) return undefined;
  let text: string;
  let json: Record<string, unknown>;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!plainlySpelled(text)) return undefined;
  const found: Understood[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') {
      if (!isObject(value) || Object.values(value).some((entry) => typeof entry !== 'string')) return undefined;
      continue;
    }
    const tensor = entryOf(name, value);
    if (!tensor) return undefined;
    found.push(tensor);
  }
  found.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { begin, end } of found) {
    if (begin !== at) return undefined;
    at = end;
  }
  return at === dataBytes ? found : undefined;
}

/** No key twice in one object, no number but plain digits, no half of a surrogate pair. */
function plainlySpelled(text: string): boolean {
  const open: Set<string>[] = [];
  const all = text.match(tokens) ?? [];
  for (const [i, token] of all.entries()) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"')) {
      const value = JSON.parse(token) as string;
      if (/\p{Surrogate}/u.test(value)) return false;
      if (all[i + 1] !== ':') continue;
      const keys = open.at(-1) as Set<string>;
      if (keys.has(value)) return false;
      keys.add(value);
    } else if (/^-?\d/.test(token) && !/^\d+$/.test(token)) return false;
  }
  return true;
}

function entryOf(name: string, value: unknown): Understood | undefined {
  if (!isObject(value) || Object.keys(value).sort().join() !== 'data_offsets,dtype,shape') return undefined;
  const { dtype, shape, data_offsets: offsets } = value;
  const bits = typeof dtype === 'string' && Object.hasOwn(bitsOf, dtype) ? (bitsOf[dtype] as bigint) : undefined;
  if (bits === undefined || !isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2) return undefined;
  let product = 1n;
  for (const side of shape) {
    product *= BigInt(side);
    if (product >= limit) return undefined;
  }
  const [begin, end] = offsets as [number, number];
  product *= bits;
  if (product >= limit || product % 8n !== 0n || BigInt(end) - BigInt(begin) !== product / 8n) return undefined;
  return { name, dtype: dtype as string, shape, begin, end };
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => typeof n === 'number' && n >= 0 && Number.isSafeInteger(n));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
