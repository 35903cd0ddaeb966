import type { z } from 'zod';
import type { Fault } from '../../base/index.ts';
import { asTesseraError, raise } from '../../base/index.ts';
import { type JsonValue, parseJson, readText } from '../../files/index.ts';

/** A row with the place it came from, for messages. */
interface Row<T> {
  readonly value: T;
  readonly where: string;
}

/**
 * Reads a file of one JSON value a line; blank lines are allowed.
 * @throws TesseraError with one fault for each bad line.
 */
export async function readJsonLines<T>(path: string, schema: z.ZodType<T>): Promise<readonly Row<T>[]> {
  const lines = readText(path, { code: 'eval/unreadable' })
    .split('\n')
    .map((text, i) => ({ text, where: `${path} line ${i + 1}` }));
  return collect(
    lines.filter(({ text }) => text.trim() !== '').map(({ text, where }) => parseRow(text, where, schema)),
  );
}

/** A value, or what is wrong with it. */
type Checked<T> = { readonly ok: T } | { readonly faults: readonly Fault[] };

/** The values of many checks, or one error with all their faults. */
export function collect<T>(checks: readonly Checked<T>[]): readonly T[] {
  raise(checks.flatMap((check) => ('faults' in check ? check.faults : [])));
  return checks.flatMap((check) => ('ok' in check ? [check.ok] : []));
}

function parseRow<T>(text: string, where: string, schema: z.ZodType<T>): Checked<Row<T>> {
  let json: JsonValue;
  try {
    json = parseJson(text, { file: where, area: 'eval' });
  } catch (error) {
    return { faults: [asTesseraError(error, { code: 'eval/json', path: where }).toJSON()] };
  }
  const result = schema.safeParse(json);
  if (result.success) return { ok: { value: result.data, where } };
  const faults = result.error.issues.map(({ path, message }) => ({
    code: 'eval/row',
    message,
    path: path.length > 0 ? `${where} ${path.join('.')}` : where,
  }));
  return { faults };
}
