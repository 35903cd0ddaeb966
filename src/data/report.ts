import type { Fault } from '../base/index.ts';
import { formatFault, TesseraError } from '../base/index.ts';

/** Rows refused for one reason. */
export interface Reason {
  readonly code: string;
  readonly count: number;
  /** The first few. */
  readonly examples: readonly Fault[];
}

/** What became of one file. */
export interface SourceCount {
  readonly file: string;
  readonly format: string;
  readonly kept: number;
  readonly rejected: number;
  /** Rows of those kept that steps read; all when absent. */
  readonly used?: number;
}

/** A report as it is kept in a file. */
export interface DataCountsJson {
  readonly kept: number;
  readonly rejected: number;
  readonly sources: readonly SourceCount[];
  readonly reasons: readonly Reason[];
}

const EXAMPLES = 3;

const idOf = ({ file, format }: { readonly file: string; readonly format: string }) => `${format}\n${file}`;

/** Counts the rows kept and, by reason, those refused, over all files of a run. */
export class DataReport {
  readonly #sources = new Map<
    string,
    { file: string; format: string; kept: number; rejected: number; used?: number }
  >();
  readonly #reasons = new Map<string, { code: string; count: number; examples: Fault[] }>();

  get kept(): number {
    return this.sources.reduce((n, source) => n + source.kept, 0);
  }

  get rejected(): number {
    return this.sources.reduce((n, source) => n + source.rejected, 0);
  }

  get sources(): readonly SourceCount[] {
    return [...this.#sources.values()];
  }

  /** The most frequent first. */
  get reasons(): readonly Reason[] {
    return [...this.#reasons.values()].sort((a, b) => b.count - a.count);
  }

  keep(file: string, format: string): void {
    this.#source(file, format).kept++;
  }

  reject(file: string, format: string, fault: Fault): void {
    this.#source(file, format).rejected++;
    this.#addReason(fault.code, 1, [fault]);
  }

  /** Moves a row that was counted as kept to the refused: faults that show only when it is tokenised. */
  withdraw(file: string, format: string, fault: Fault): void {
    this.#source(file, format).kept--;
    this.reject(file, format, fault);
  }

  /** Says of rows that were kept of a file how many are used; rows of it that were kept before stay as they are told. */
  use(file: string, format: string, { kept, used }: { readonly kept: number; readonly used: number }): void {
    const source = this.#source(file, format);
    source.used = (source.used ?? source.kept) - kept + used;
  }

  /** Keeps the values of a stream and counts both kinds. */
  collect<T>(
    file: string,
    format: string,
    outcomes: Iterable<{ readonly kept: T } | { readonly refused: Fault }>,
  ): T[] {
    this.#source(file, format);
    const values: T[] = [];
    for (const outcome of outcomes) {
      if ('refused' in outcome) this.reject(file, format, outcome.refused);
      else {
        this.keep(file, format);
        values.push(outcome.kept);
      }
    }
    return values;
  }

  /** Adds the counts of another report. */
  merge(other: DataReport): void {
    for (const { file, format, kept, rejected, used } of other.sources) {
      const source = this.#source(file, format);
      if (used !== undefined || source.used !== undefined) source.used = (source.used ?? source.kept) + (used ?? kept);
      source.kept += kept;
      source.rejected += rejected;
    }
    for (const { code, count, examples } of other.reasons) this.#addReason(code, count, examples);
  }

  /**
   * Stops a run whose data is not what its owner thinks.
   * @param most largest share of rows that may be refused
   * @throws TesseraError `data/no-rows`, `data/too-many-rejected`, with an example for each reason
   */
  check(most = 0.05): void {
    const { kept, rejected } = this;
    const share = rejected / Math.max(1, kept + rejected);
    if (kept > 0 && share <= most) return;
    const percent = (value: number) => `${Number((value * 100).toFixed(2))}%`;
    throw new TesseraError(
      {
        code: kept === 0 ? 'data/no-rows' : 'data/too-many-rejected',
        message: kept === 0 ? 'no row of the data can be used' : 'too many rows of the data were refused',
        path: this.sources.map(({ file }) => file).join(', '),
        expected: kept === 0 ? 'at least one row' : `at most ${percent(most)} refused`,
        got: `${rejected} of ${kept + rejected} rows refused (${percent(share)})`,
        remedy: 'mend the rows named below, or take them out of the data',
      },
      { others: this.reasons.flatMap(({ examples }) => examples.slice(0, 1)) },
    );
  }

  /** A report that `toJSON` wrote out. */
  static from({ sources, reasons }: DataCountsJson): DataReport {
    const report = new DataReport();
    for (const source of sources) report.#sources.set(idOf(source), { ...source });
    for (const { code, count, examples } of reasons) report.#addReason(code, count, examples);
    return report;
  }

  toJSON(): DataCountsJson {
    return { kept: this.kept, rejected: this.rejected, sources: this.sources, reasons: this.reasons };
  }

  /** The report as lines of text. */
  format(): string {
    const lines = this.sources.map(
      ({ file, format, kept, rejected, used }) =>
        `${file} (${format}): ${kept} rows kept, ${used === undefined ? '' : `${used} of them used, `}${rejected} refused`,
    );
    for (const { code, count, examples } of this.reasons) {
      lines.push(`${code}: ${count} refused`);
      for (const example of examples) lines.push(indent(formatFault(example)));
      if (count > examples.length) lines.push(`  and ${count - examples.length} more`);
    }
    return lines.join('\n');
  }

  #source(file: string, format: string): { kept: number; rejected: number; used?: number } {
    const id = idOf({ file, format });
    const known = this.#sources.get(id);
    if (known) return known;
    const source = { file, format, kept: 0, rejected: 0 };
    this.#sources.set(id, source);
    return source;
  }

  #addReason(code: string, count: number, examples: readonly Fault[]): void {
    const reason = this.#reasons.get(code) ?? { code, count: 0, examples: [] };
    reason.count += count;
    reason.examples.push(...examples.slice(0, EXAMPLES - reason.examples.length));
    this.#reasons.set(code, reason);
  }
}

const indent = (text: string) => text.replace(/^/gm, '  ');
