/** What an engine has done and what it holds, as plain data. */
export interface LedgerSnapshot {
  readonly sessionsBuilt: number;
  readonly liveSessions: number;
  readonly runs: number;
  /** Outputs copied from ONNX Runtime's memory into an array of JavaScript. */
  readonly hostCopies: number;
  readonly hostCopyBytes: number;
  /** Objects of ONNX Runtime's C API that are alive (0 on the binding, which does not tell). */
  readonly nativeHandles: number;
  /** Bytes that ONNX Runtime is known to hold: the serialised models of live sessions. */
  readonly nativeBytes: number;
}

/** Counts the work of one engine, for tests, benches and reports. */
export class Ledger {
  #now = {
    sessionsBuilt: 0,
    liveSessions: 0,
    runs: 0,
    hostCopies: 0,
    hostCopyBytes: 0,
    nativeHandles: 0,
    nativeBytes: 0,
  };

  sessionOpened(modelBytes: number): void {
    this.#now.sessionsBuilt++;
    this.#now.liveSessions++;
    this.#now.nativeBytes += modelBytes;
  }

  sessionClosed(modelBytes: number): void {
    this.#now.liveSessions--;
    this.#now.nativeBytes -= modelBytes;
  }

  ran(): void {
    this.#now.runs++;
  }

  copied(bytes: number): void {
    this.#now.hostCopies++;
    this.#now.hostCopyBytes += bytes;
  }

  /** Native objects made (positive) or released (negative). */
  handles(change: number): void {
    this.#now.nativeHandles += change;
  }

  snapshot(): LedgerSnapshot {
    return { ...this.#now };
  }
}
