import { createHash } from 'node:crypto';

/** What tells a value from others: SHA-256 of its JSON, as 64 hexadecimal letters. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
