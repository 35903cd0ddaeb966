/** Longest list that `range` gives. */
const longestRange = 2 ** 13;
const longestFormat = 256;

/** The names that every template knows. */
export const templateGlobals: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  strftime_now: strftimeNow,
  raise_exception: raiseException,
};

/** Python's `range`, as a list. */
function range(...bounds: unknown[]): number[] {
  if (!bounds.every((bound) => Number.isSafeInteger(bound))) throw new Error('range takes whole numbers');
  const [first = 0, second, step = 1] = bounds as number[];
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new Error('range needs a step other than zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > longestRange) throw new Error(`range gives at most ${longestRange} numbers, not ${length}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

function raiseException(message: unknown): never {
  throw new Error(String(message));
}

/** The time of rendering, by those directives of Python's `strftime` that templates use. */
function strftimeNow(format: unknown): string {
  const text = String(format);
  if (text.length > longestFormat) throw new Error(`strftime_now takes at most ${longestFormat} characters`);
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, '0');
  const month = (style: 'long' | 'short') => now.toLocaleString('en-US', { month: style });
  const directives: Readonly<Record<string, () => string>> = {
    '%Y': () => String(now.getFullYear()),
    '%m': () => two(now.getMonth() + 1),
    '%d': () => two(now.getDate()),
    '%b': () => month('short'),
    '%B': () => month('long'),
    '%H': () => two(now.getHours()),
    '%M': () => two(now.getMinutes()),
    '%%': () => '%',
  };
  return text.replace(/%[YmdbBHM%]/g, (directive) => (directives[directive] as () => string)());
}
