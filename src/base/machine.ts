/** What a machine refuses, by the code of its error, and what can be done about it. */
const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on the disk, then run the same command again; what was saved is whole',
  EDQUOT: 'make room within the quota of the disk, then run the same command again; what was saved is whole',
  EFBIG: 'allow larger files (`ulimit -f`), or write to a disk that takes them; what was saved is whole',
  EROFS: 'write to another place: this one can only be read',
  EACCES: 'check who may read and write there',
  EPERM: 'check who may read and write there',
  EMFILE: 'allow more open files (`ulimit -n`), then run the same command again',
  ENFILE: 'allow more open files on this machine, then run the same command again',
  ENOMEM: 'free memory, or take a smaller model or batch',
  EIO: 'look at the disk: it could not read or write what it was asked to',
};

/** Codes of calls that a program should not have made, or that whoever made them can explain better. */
const ownFaults: ReadonlySet<string> = new Set(['ENOENT', 'EINVAL', 'EBADF']);

/** Whether the system refused a call for a reason that is the machine's and not the program's. */
export function isMachineError(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || ownFaults.has(code)) return false;
  return code in remedies || (syscall !== undefined && /^E[A-Z0-9]+$/.test(code));
}

/** What to do about such an error; undefined where its message has to do. */
export function machineRemedy(error: unknown): string | undefined {
  return isMachineError(error) ? remedies[error.code as string] : undefined;
}
