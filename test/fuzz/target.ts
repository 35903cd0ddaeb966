import type { Random } from '../../src/base/index.ts';

/** The files of one case, name to bytes. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** A reader, and how to make what it should meet with an answer or with one clear error. */
export interface Target {
  readonly name: string;
  /** Makes a case; the same one for the same stream. */
  make(random: Random): Files;
  /** Reads a case. `place` is an empty folder that holds the files, for targets that ask for it. */
  read(files: Files, place: string): unknown;
  /** Whether the files have to be written into a folder. */
  readonly onDisk: boolean;
  /**
   * What an independent statement of the rules says of the files: `undefined` where it says nothing, otherwise whether
   * they are valid. `read` says what was understood.
   */
  verdict?(files: Files, read: unknown): boolean | undefined;
}

const encoder = new TextEncoder();

export function textBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of a case's file. */
export function textOf(files: Files, name: string): string {
  return new TextDecoder().decode(files.get(name));
}
