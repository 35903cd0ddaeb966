import { type Fault, formatFault, type TesseraError } from '../base/index.ts';
import type { DataReport, Example } from '../data/index.ts';
import { writeTextAtomically } from '../files/index.ts';
import type { PassedOver, SampleRows } from '../train/index.ts';
import type { RunFolder } from './folder.ts';
import type { StageData } from './rows.ts';
import type { Hooks } from './types.ts';
import type { Origin } from './used.ts';

/** A sample that a stage passes over, and why; a checkpoint keeps them, so that a resume passes over the same. */
export interface Lost {
  readonly file: string;
  /** The row, as faults name it. */
  readonly row: string;
  readonly fault: Fault;
}

/** The samples that a stage passes over. */
export interface LostSamples extends PassedOver {
  /** In the order in which they were found. */
  readonly lost: readonly Lost[];
}

/**
 * What becomes of samples whose images turn out to be unreadable while a stage trains on them: each is told, and counted
 * among the refused rows, of which a stage bears as many as when it reads its data.
 * @param report of all stages so far, this one counted already
 * @param before what the stage has passed over before it goes on
 */
export function lostSamples(
  run: Pick<RunFolder, 'dataReport'>,
  report: DataReport,
  data: StageData,
  before: readonly Lost[],
  hooks: Pick<Hooks, 'log'>,
): LostSamples {
  const lost: Lost[] = [];
  const known = new Set<string>();
  const placeOf = (sample: number) => {
    const { file } = data.origins[sample] as Origin;
    const [first] = data.samples[sample] as SampleRows;
    return { file, row: (first as Example).where };
  };
  const count = (sample: number, fault: Fault) => {
    const { file, format } = data.origins[sample] as Origin;
    for (const counts of [data.report, report]) counts.withdraw(file, format, fault);
  };
  const keep = (one: Lost) => {
    lost.push(one);
    known.add(keyOf(one));
  };
  if (before.length > 0) {
    const samples = new Map([...data.samples.keys()].map((sample) => [keyOf(placeOf(sample)), sample]));
    for (const one of before) {
      const sample = samples.get(keyOf(one));
      if (sample === undefined) continue;
      count(sample, one.fault);
      keep(one);
    }
  }
  return {
    lost,
    has: (sample) => known.has(keyOf(placeOf(sample))),
    add: (sample, error) => {
      if (!isOfImage(error)) throw error;
      const fault = error.toJSON();
      count(sample, fault);
      writeDataReport(run, report);
      data.report.check();
      keep({ ...placeOf(sample), fault });
      hooks.log.warn(`a row is passed over, and another takes its place: ${formatFault(fault)}`);
    },
  };
}

const keyOf = ({ file, row }: Pick<Lost, 'file' | 'row'>) => `${file}\n${row}`;

export function writeDataReport(run: Pick<RunFolder, 'dataReport'>, report: DataReport): void {
  writeTextAtomically(run.dataReport, `${JSON.stringify(report.toJSON(), null, 2)}\n`);
}

/** What the machine lacks for the moment is no fault of an image. */
const passing: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

function isOfImage({ code, cause }: TesseraError): boolean {
  const inner = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return /^(image|file)\//.test(code) && !passing.has(inner);
}
