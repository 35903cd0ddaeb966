import { TesseraError } from '../../src/base/index.ts';

/** The fault that an action ends with; anything else that it throws goes on. */
export function faultOf(action: () => unknown): TesseraError {
  try {
    action();
  } catch (error) {
    if (error instanceof TesseraError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The fault that a promise ends with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<TesseraError> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );
  return faultOf(() => {
    throw error;
  });
}

/** The codes of all faults that an action ends with at once. */
export function codesOf(action: () => unknown): string[] {
  const { code, others } = faultOf(action);
  return [code, ...others.map((other) => other.code)];
}
