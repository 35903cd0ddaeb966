import { machineRemedy } from './machine.ts';

/** Everything a reader needs to mend a fault: what is wrong, where, and what to do about it. */
export interface Fault {
  /** Stable, kebab-case identifier, such as `safetensors/duplicate-key`. */
  readonly code: string;
  /** One sentence that names the fault. */
  readonly message: string;
  /** Where: a file, a key path (`train.steps`), a row (`train.json row 17`) or a module path. */
  readonly path?: string;
  readonly expected?: string;
  readonly got?: string;
  /** What the reader can do now. */
  readonly remedy?: string;
}

/**
 * The one error type of tessera. Anything else that reaches a user is a defect.
 *
 * @example
 * throw new TesseraError({
 *   code: 'recipe/unknown-key', message: 'unknown key', path: 'train.step',
 *   expected: 'a key of train', got: 'step', remedy: 'did you mean train.steps?',
 * });
 */
export class TesseraError extends Error implements Fault {
  override readonly name = 'TesseraError';
  readonly code: string;
  readonly path?: string;
  readonly expected?: string;
  readonly got?: string;
  readonly remedy?: string;
  /** Further faults found in the same pass; configuration faults come all at once. */
  readonly others: readonly Fault[];

  constructor(fault: Fault, options: { cause?: unknown; others?: readonly Fault[] } = {}) {
    super(fault.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = fault.code;
    if (fault.path !== undefined) this.path = fault.path;
    if (fault.expected !== undefined) this.expected = fault.expected;
    if (fault.got !== undefined) this.got = fault.got;
    if (fault.remedy !== undefined) this.remedy = fault.remedy;
    this.others = options.others ?? [];
  }

  /** The fault as plain data, for `--json` and for HTTP replies. */
  toJSON(): Fault & { others?: readonly Fault[] } {
    const { code, message, path, expected, got, remedy, others } = this;
    return {
      code,
      message,
      ...(path !== undefined && { path }),
      ...(expected !== undefined && { expected }),
      ...(got !== undefined && { got }),
      ...(remedy !== undefined && { remedy }),
      ...(others.length > 0 && { others }),
    };
  }
}

/** Throws one error for a non-empty list of faults; returns when there are none. */
export function raise(faults: readonly Fault[]): void {
  const [first, ...others] = faults;
  if (first) throw new TesseraError(first, { others });
}

/** A fault as indented text lines: `code  message`, then one line per known field. */
export function formatFault(fault: Fault): string {
  const lines = [`${fault.message} [${fault.code}]`];
  for (const key of ['path', 'expected', 'got', 'remedy'] as const) {
    const value = fault[key];
    if (value !== undefined) lines.push(`  ${`${key}:`.padEnd(10)}${value}`);
  }
  return lines.map(printable).join('\n');
}

/** Faults quote names and texts out of files; what would steer a terminal, or turn the text around, is spelled out. */
function printable(text: string): string {
  return text.replace(
    /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
    (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`,
  );
}

/**
 * Wraps whatever was thrown so that callers deal with one type. A disk that is full, or another refusal of the machine
 * with a remedy of its own, keeps that remedy.
 */
export function asTesseraError(error: unknown, fallback: Omit<Fault, 'message'>): TesseraError {
  if (error instanceof TesseraError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const remedy = machineRemedy(error) ?? fallback.remedy;
  return new TesseraError({ ...fallback, message, ...(remedy !== undefined && { remedy }) }, { cause: error });
}

/** The candidate closest to `word` by edit distance, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
