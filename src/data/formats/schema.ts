import type { z } from 'zod';
import type { Fault } from '../../base/index.ts';
import { nearest, TesseraError } from '../../base/index.ts';

type Issue = z.core.$ZodIssue;

/**
 * Checks a record against a schema.
 * @throws TesseraError `row/schema`, with every fault of the record and, for an absent key, the nearest one present
 */
export function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const [first, ...others] = result.error.issues.map((issue) => faultOf(deepest(issue), value, where));
  throw new TesseraError(first as Fault, { others });
}

/** Of a union, the alternative that got furthest: a list with one wrong element is a list, not a wrong string. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.flatMap((alternative) => alternative.slice(0, 1)).filter(({ path }) => path.length > 0);
  const furthest = inner.reduce<Issue | undefined>(
    (best, next) => (best && best.path.length >= next.path.length ? best : next),
    undefined,
  );
  return furthest ? deepest({ ...furthest, path: [...issue.path, ...furthest.path] }) : issue;
}

function faultOf(issue: Issue, value: unknown, where: string): Fault {
  const key = issue.path.map(String).join('.');
  const found = issue.path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)?.[step], value);
  const near = found === undefined && issue.path.length > 0 ? nearKey(issue.path, value) : undefined;
  return {
    code: 'row/schema',
    message: found === undefined ? `${key || 'the row'} is missing` : `${key || 'the row'} has a wrong value`,
    path: where,
    expected: expectation(issue),
    ...(found !== undefined && { got: JSON.stringify(found).slice(0, 60) }),
    ...(near !== undefined && { remedy: `did you mean ${near} as ${key}?` }),
  };
}

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return issue.expected;
  if (issue.code === 'invalid_value') return issue.values.map(String).join(', ');
  if (issue.code !== 'invalid_union') return issue.message;
  if ('options' in issue && Array.isArray(issue.options)) return issue.options.map(String).join(', ');
  return [...new Set(issue.errors.flatMap((alternative) => alternative.slice(0, 1).map(expectation)))].join(' or ');
}

function nearKey(path: readonly PropertyKey[], value: unknown): string | undefined {
  const parent = path.slice(0, -1).reduce((at, step) => (at as Record<PropertyKey, unknown>)[step], value);
  return nearest(String(path.at(-1)), Object.keys(parent as object));
}

/** Runs a conversion; a TesseraError becomes a refusal, anything else is a defect and goes on. */
export function attempt<T>(convert: () => T): { kept: T } | { refused: Fault } {
  try {
    return { kept: convert() };
  } catch (error) {
    if (error instanceof TesseraError) return { refused: error.toJSON() };
    throw error;
  }
}
