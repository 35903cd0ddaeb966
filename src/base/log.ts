/** Where diagnostics go. Results go to standard output and never through a logger. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
}

/** Writes plain lines to standard error. */
export const stderrLog: Log = {
  info: (message) => void process.stderr.write(`${message}\n`),
  warn: (message) => void process.stderr.write(`warning: ${message}\n`),
};

export const silentLog: Log = { info: () => {}, warn: () => {} };
