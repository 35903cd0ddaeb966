import { Random } from '../../base/index.ts';
import type { ConversationOptions, InstructionKind } from '../language/conversation.ts';
import type { Scene, SceneOptions, Split } from '../scene.ts';

/** What a world is made with, but for what is written about it. */
export interface WorldSettings {
  readonly seed: number;
  readonly split: Split;
  /** Number of scenes. */
  readonly count: number;
  /** Side of the images in pixels. */
  readonly size: number;
  readonly scene: SceneOptions;
  readonly captionsPerImage: number;
  /** Probability that an alt text mentions a thing that is not there. */
  readonly altTextNoise: number;
  /** Probability that an image gets an instruction row of the kind. */
  readonly instructions: Readonly<Record<InstructionKind, number>>;
  readonly conversation: ConversationOptions;
  readonly questionsPerImage: number;
  /** How many of the ten annotators answer wrongly. */
  readonly annotatorNoise: number;
  /** Most images that POPE asks about. */
  readonly popeImages: number;
}

/** A file's text and its number of rows. */
export interface Written {
  readonly text: string;
  readonly rows: number;
}

/** How training reads what a task writes. */
export interface TrainingFile {
  readonly file: string;
  /** A format of data files, by its name there. */
  readonly format: string;
  /** The file with the answers, for a format that has one. */
  readonly annotations?: string;
  /** How images are named, for a format that leaves it open. */
  readonly image_name?: string;
}

/** Options of a recipe that some tasks have use for. */
export const worldTaskOptions = ['kinds', 'turns', 'topics', 'cooccurrence'] as const;

/** One thing that can be written about scenes. */
export interface WorldTaskRecord {
  /** What the rows are, in a few words. */
  readonly describe: string;
  /** Absent for what is written for evaluation alone. */
  readonly training?: TrainingFile;
  /** Options that change what is written. */
  readonly uses: readonly (typeof worldTaskOptions)[number][];
  /** The files by their names. */
  write(scenes: readonly Scene[], settings: WorldSettings): Readonly<Record<string, Written>>;
}

/** A stream for one task and scene, so that no task's choices move another's. */
export function stream({ seed, split }: WorldSettings, task: string, scene: Scene | 'all'): Random {
  return new Random(seed, 'world', split, scene === 'all' ? scene : scene.image_id, task);
}

/** JSON, a row a line. */
export function lines(rows: readonly unknown[]): Written {
  return { text: rows.map((row) => `${JSON.stringify(row)}\n`).join(''), rows: rows.length };
}

/** A JSON list with a line for each row, which people and diffs can read. */
export function listText(rows: readonly unknown[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]`;
}

export function jsonList(rows: readonly unknown[]): Written {
  return { text: `${listText(rows)}\n`, rows: rows.length };
}
