import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, parse, relative } from 'node:path';
import type { Fault } from '../../base/index.ts';
import { asTesseraError } from '../../base/index.ts';

/** Finds the file of an image by its name, its name without the ending, or the number its name ends in. */
type ImageFinder = (key: string | number, where: string) => string | Fault;

/** A folder of images that questions are about. */
export interface ImageSource {
  readonly images: string;
  readonly coming?: readonly string[] | undefined;
}

/**
 * Opens a folder of images. Data sets name images by file (`000000000139.jpg`) or by number (139 for
 * `COCO_val2014_000000000139.jpg`); both are found, and a number that two files end in is a fault.
 * @param source.coming names of files that will be there once the first question is asked
 */
export function openImages({ images: folder, coming = [] }: ImageSource): ImageFinder {
  const there = listFolder(folder).filter((name) => /\.(png|jpe?g|webp|gif|bmp)$/i.test(name));
  const names = [...new Set([...there, ...coming])];
  const awaited = new Set(coming);
  const byStem = groupBy(names, (name) => parse(name).name);
  const byNumber = groupBy(names, trailingNumber);
  return (key, where) => {
    const named = typeof key === 'string' && isInside(folder, key) ? join(folder, key) : undefined;
    if (named && (awaited.has(`${key}`) || existsSync(named))) return named;
    const found = byStem.get(`${key}`) ?? (/^\d+$/.test(`${key}`) ? byNumber.get(`${Number(key)}`) : undefined) ?? [];
    const [name] = found;
    if (name !== undefined && found.length === 1) return join(folder, name);
    return {
      code: name === undefined ? 'eval/no-picture' : 'eval/ambiguous-picture',
      message: name === undefined ? 'the image is missing' : 'several images answer to this number',
      path: where,
      expected: `one image file for ${key} in ${folder}`,
      got: found.join(', ') || 'none',
    };
  };
}

/** A data file names images of its folder and no others. */
function isInside(folder: string, name: string): boolean {
  const path = relative(folder, join(folder, name));
  return path !== '' && !path.startsWith('..') && !isAbsolute(path);
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw asTesseraError(error, { code: 'eval/no-folder', path: folder, expected: 'a folder of images' });
  }
}

function trailingNumber(name: string): string | undefined {
  const digits = /(\d+)$/.exec(parse(name).name)?.[1];
  return digits === undefined ? undefined : `${Number(digits)}`;
}

function groupBy(names: readonly string[], key: (name: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const k = key(name);
    if (k !== undefined) groups.set(k, [...(groups.get(k) ?? []), name]);
  }
  return groups;
}
