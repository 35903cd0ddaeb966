import { basename } from 'node:path';
import type { Named } from '../../base/index.ts';
import type { Outcome, Row, Sample } from '../row.ts';
import type { ImageFolder } from './image-folder.ts';
import { records } from './records.ts';
import { attempt } from './schema.ts';

/** Something that only one or a few formats have to be told. */
export interface FormatOption {
  readonly describe: string;
  /** A file is found from where the recipe stands. */
  readonly value: 'text' | 'file';
}

/** How a file is known to be of a format: by its name, by the keys of its first record, or by a section of a document. */
export interface Recognition {
  readonly file?: (name: string) => boolean;
  readonly record?: (keys: ReadonlySet<string>) => boolean;
  readonly section?: (section: string, keys: ReadonlySet<string>) => boolean;
}

/** One format of training data. */
export interface Format {
  /** What the file looks like, for messages. */
  readonly looks: string;
  readonly known: Recognition;
  readonly options: Named<FormatOption>;
  samples(path: string, folder: ImageFolder, settings: Named<string>): Generator<Outcome<Sample>>;
}

/** A row that an objective reads by itself. */
export function alone(row: Row): Sample {
  return { views: { row } };
}

/** Makes a row, rows that belong together, or several of such samples of one record. */
export type Convert = (value: unknown, where: string, folder: ImageFolder) => Row | Sample | readonly Sample[];

/** A format of records that stand in an array or one a line, known by keys that its records have. */
export function recordFormat(looks: string, convert: Convert, record: NonNullable<Recognition['record']>) {
  return {
    looks,
    known: { record },
    options: {},
    *samples(path, folder) {
      for (const one of records(path, basename(path), folder.keep)) {
        if ('refused' in one) yield one;
        else yield* converted(() => convert(one.kept.value, one.kept.where, folder));
      }
    },
  } as const satisfies Format;
}

/** What one record gives: its samples, or one refusal. */
export function* converted(convert: () => ReturnType<Convert>): Generator<Outcome<Sample>> {
  const outcome = attempt(convert);
  if ('refused' in outcome) yield outcome;
  else for (const kept of samplesOf(outcome.kept)) yield { kept };
}

function samplesOf(made: ReturnType<Convert>): readonly Sample[] {
  if ('turns' in made) return [alone(made)];
  return 'views' in made ? [made] : made;
}
