import { TesseraError } from '../../base/index.ts';

/** What the machine refuses, by the code of its error, and what can be done about it. */
const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on the disk, then run the same command again; what was saved is whole',
  EDQUOT: 'make room within the quota of the disk, then run the same command again; what was saved is whole',
  EROFS: 'write to another place: this one can only be read',
  EACCES: 'check who may read and write there',
  EPERM: 'check who may read and write there',
  EMFILE: 'allow more open files (`ulimit -n`), then run the same command again',
  ENFILE: 'allow more open files on this machine, then run the same command again',
  ENOMEM: 'free memory, or take a smaller model or batch',
  EIO: 'look at the disk: it could not read or write what it was asked to',
};

/** The fault of an error that is the machine's and not the program's; undefined for every other. */
export function machineFault(error: unknown): TesseraError | undefined {
  if (!(error instanceof Error) || error instanceof TesseraError) return undefined;
  const { code, path, message } = error as NodeJS.ErrnoException;
  const remedy = code === undefined ? undefined : remedies[code];
  if (remedy === undefined) return undefined;
  const fault = { code: 'cli/machine', message: 'the machine refused to read or write', got: message, remedy };
  return new TesseraError({ ...fault, ...(path !== undefined && { path }) }, { cause: error });
}
