import { createContext, Script } from 'node:vm';
import { TesseraError } from '../../base/index.ts';

const place = createContext({ action: undefined as unknown });
const call = new Script('action()');

/**
 * Runs something that may never end, such as a pattern from a file; it is stopped when its time is over, even inside a
 * pattern. What it works on is left as it stood. A call costs some tenths of a millisecond.
 * @throws TesseraError `tokenize/time`
 */
export function withinTime<T>(milliseconds: number, action: () => T): T {
  place.action = action;
  try {
    return call.runInContext(place, { timeout: milliseconds }) as T;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TesseraError({
      code: 'tokenize/time',
      message: 'the patterns of the tokenizer take too long',
      path: 'tokenizer.json',
      expected: `at most ${milliseconds / 1000} seconds for a text`,
      remedy: 'use a tokenizer from a source you trust',
    });
  } finally {
    place.action = undefined;
  }
}
