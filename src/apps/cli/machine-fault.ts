import { isMachineError, machineRemedy, TesseraError } from '../../base/index.ts';

/** The fault of an error that is the machine's and not the program's; undefined for every other. */
export function machineFault(error: unknown): TesseraError | undefined {
  if (error instanceof TesseraError || !isMachineError(error)) return undefined;
  const { path, message } = error;
  const remedy = machineRemedy(error) ?? 'mend what the machine says, then run the same command again';
  const fault = { code: 'cli/machine', message: 'the machine refused to read or write', got: message, remedy };
  return new TesseraError({ ...fault, ...(path !== undefined && { path }) }, { cause: error });
}
