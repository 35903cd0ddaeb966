import { existsSync, readFileSync } from 'node:fs';
import { TesseraError } from '../base/index.ts';

/** A line of `metrics.jsonl`: a step that was logged, or the loss on held-out rows. */
export interface MetricsRow {
  readonly stage: string;
  readonly step: number;
  readonly loss?: number;
  readonly held_out_loss?: number;
}

/**
 * The log of a run. A last line without its end is still being written, or was when the run died, and does not count.
 * @throws TesseraError `run/metrics` with the number of the line that is no such row.
 */
export function readMetrics(path: string): MetricsRow[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line, i) => parseRow(line) ?? broken(path, i + 1, line));
}

function parseRow(line: string): MetricsRow | undefined {
  try {
    const row = JSON.parse(line) as MetricsRow;
    return typeof row.stage === 'string' && Number.isInteger(row.step) ? row : undefined;
  } catch {
    return undefined;
  }
}

function broken(path: string, line: number, got: string): never {
  throw new TesseraError({
    code: 'run/metrics',
    message: 'the log of the run has a line that is none of its own',
    path: `${path} line ${line}`,
    expected: '{"stage": …, "step": …, …}',
    got: got.slice(0, 80),
  });
}
