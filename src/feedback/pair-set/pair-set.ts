import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import {
  isTemporary,
  makeFolder,
  parseJson,
  sweepTemporaries,
  temporaryBeside,
  writeFileAtomically,
  writeTextAtomically,
} from '../../files/index.ts';
import { appendLines, cutBack, endedLines } from './log.ts';
import type { QuestionRecord } from './record.ts';
import { PairCounts, type PairReport } from './report.ts';
import { reportText } from './report-text.ts';
import { pairRows } from './rows.ts';

/** Where a pair set keeps what. */
export interface PairFolder {
  readonly path: string;
  /** Rows of public formats, see `pairRows`. */
  readonly pairs: string;
  readonly images: string;
  /** The report for readers. */
  readonly text: string;
  /** What the set was made with and of. */
  readonly made: string;
  readonly settings: string;
  readonly answers: string;
  readonly report: string;
  readonly transcripts: string;
  readonly claim: string;
}

function pairFolder(path: string): PairFolder {
  const made = join(path, 'feedback');
  return {
    path,
    pairs: join(path, 'pairs.jsonl'),
    images: join(path, 'images'),
    text: join(path, 'report.md'),
    made,
    settings: join(made, 'settings.json'),
    answers: join(made, 'answers.jsonl'),
    report: join(made, 'report.json'),
    transcripts: join(made, 'transcripts.jsonl'),
    claim: join(made, 'running.json'),
  };
}

/**
 * Begins a pair set, or finds the one that was begun with these settings.
 * @throws TesseraError `feedback/folder-taken`, `feedback/other-settings`, `feedback/folder`
 */
export function beginPairSet(path: string, settings: unknown): PairFolder {
  const set = pairFolder(path);
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  try {
    if (existsSync(set.settings)) refuseOther(set, text);
    else {
      refuseTaken(set);
      makeFolder(set.made);
      writeTextAtomically(set.settings, text);
    }
    return set;
  } catch (error) {
    throw asTesseraError(error, { code: 'feedback/folder', path, expected: 'a folder to write in' });
  }
}

function refuseTaken({ path, made }: PairFolder): void {
  const names = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).filter((name) => !isTemporary(name)) : [];
  // A process that dies at once may leave an empty folder.
  const others = [...names(path).filter((name) => name !== basename(made)), ...names(made)];
  if (others.length === 0) return;
  throw new TesseraError({
    code: 'feedback/folder-taken',
    message: 'the folder holds something that is no pair set',
    path,
    expected: 'a new or empty folder, or a pair set of this recipe',
    got: others.slice(0, 5).join(', '),
    remedy: 'set feedback.folder to another',
  });
}

function refuseOther({ path, settings }: PairFolder, wanted: string): void {
  const there = readFileSync(settings, 'utf8');
  if (there === wanted) return;
  const [made, asked] = [there, wanted].map(
    (text) => new Map(leaves(parseJson(text, { file: settings, area: 'feedback' }))),
  );
  const keys = [...(asked?.keys() ?? []), ...(made?.keys() ?? [])];
  const key = keys.find((name) => asked?.get(name) !== made?.get(name)) ?? 'order';
  const said = (value: string | undefined) => (value === undefined ? `no ${key}` : `${key} ${value}`);
  throw new TesseraError({
    code: 'feedback/other-settings',
    message: 'the folder holds a pair set that was made with other settings, or from other weights',
    path,
    expected: said(asked?.get(key)),
    got: said(made?.get(key)),
    remedy: 'set feedback.folder to another, or remove this one',
  });
}

/** What stands at the ends of nested settings, by their paths. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, path === '' ? key : `${path}.${key}`));
}

/** The report of a set that is finished. */
export function reportOf({ report }: PairFolder): PairReport | undefined {
  return existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as PairReport) : undefined;
}

/** The questions of a set as they come in, by groups of a fixed size. */
export interface OpenPairSet {
  /** Questions that are in it. */
  readonly done: number;
  readonly counts: PairCounts;
  /** Takes a whole group: its images first, then all its lines at once. @param images the file behind each name */
  add(records: readonly QuestionRecord[], images: ReadonlyMap<string, string>): void;
  /** Writes the rows and the report. */
  finish(of: Parameters<PairCounts['report']>[0]): PairReport;
}

/**
 * Opens a set to go on with it; a group that was not written whole is asked again.
 * @param ids of all its questions, in their order
 * @throws TesseraError `feedback/damaged` where the answers are not those of these questions
 */
export function openPairSet(set: PairFolder, ids: readonly string[], group: number): OpenPairSet {
  sweepTemporaries(set.path);
  sweepTemporaries(set.made);
  makeFolder(set.images);
  sweepTemporaries(set.images);
  const counts = new PairCounts();
  let done = 0;
  let bytes = 0;
  let pending: QuestionRecord[] = [];
  for (const { text, end } of endedLines(set.answers)) {
    pending.push(readRecord(text, set.answers, ids[done + pending.length]));
    if (pending.length < group && done + pending.length < ids.length) continue;
    for (const record of pending) counts.add(record);
    done += pending.length;
    bytes = end;
    pending = [];
  }
  cutBack(set.answers, bytes);
  return {
    get done() {
      return done;
    },
    counts,
    add(records, images) {
      for (const [name, from] of images) keepImage(join(set.images, name), from);
      appendLines(set.answers, records);
      for (const record of records) counts.add(record);
      done += records.length;
    },
    finish(of) {
      const report = counts.report(of);
      writeFileAtomically(set.pairs, (write) => {
        for (const row of pairRows(() => recordsIn(set))) write(new TextEncoder().encode(`${JSON.stringify(row)}\n`));
      });
      writeTextAtomically(set.text, reportText(report));
      writeTextAtomically(set.report, `${JSON.stringify(report, null, 2)}\n`);
      return report;
    },
  };
}

function* recordsIn({ answers }: PairFolder): Generator<QuestionRecord> {
  for (const { text } of endedLines(answers)) yield JSON.parse(text) as QuestionRecord;
}

function readRecord(text: string, path: string, id: string | undefined): QuestionRecord {
  try {
    const record = JSON.parse(text) as QuestionRecord;
    if (id !== undefined && record.id === id && Array.isArray(record.candidates)) return record;
  } catch {
    // Told below.
  }
  throw new TesseraError({
    code: 'feedback/damaged',
    message: 'the answers of this pair set are not those of its questions',
    path,
    expected: id === undefined ? 'no further line' : `the line of question ${id}`,
    got: text.slice(0, 80),
    remedy: 'remove the pair set and make it again',
  });
}

/** An image appears whole or not at all; what is there already must be the same. */
function keepImage(path: string, from: string): void {
  if (existsSync(path)) {
    if (readFileSync(path).equals(readFileSync(from))) return;
    throw new TesseraError({
      code: 'feedback/image-differs',
      message: 'another image of this name lies in the pair set',
      path,
      expected: `the bytes of ${from}`,
      remedy: 'move it away',
    });
  }
  const draft = temporaryBeside(path);
  copyFileSync(from, draft);
  renameSync(draft, path);
}
