import { mkdirSync } from 'node:fs';
import { type Fault, formatFault } from '../../src/base/index.ts';
import { type ReadOptions, readRows, streamRows } from '../../src/data/formats/read.ts';
import { scratchFolder } from './scratch-folder.ts';

/** Writes data files into a folder of their own, beside `pictures/` with the named images, and reads them. */
export function dataFiles(...names: readonly string[]) {
  const folder = scratchFolder();
  const images = folder.path('pictures');
  mkdirSync(images);
  for (const name of names) folder.write(`pictures/${name}`, name);
  return {
    folder,
    images,
    image: (name: string) => ({ kind: 'image', path: folder.path(`pictures/${name}`) }),
    read: (name: string, content: unknown, options: ReadOptions = {}) =>
      readRows(folder.write(name, content), { images, ...options }),
    refusals: (name: string, content: unknown, options: ReadOptions = {}): Fault[] =>
      [...streamRows(folder.write(name, content), { images, ...options })].flatMap((outcome) =>
        'refused' in outcome ? [outcome.refused] : [],
      ),
    shown: (faults: readonly Fault[]) =>
      faults.map((fault) => formatFault(fault).replaceAll(images, '<pictures>')).join('\n'),
  };
}

/** Turns of a conversation as LLaVA writes them, the user's first. */
export const talk = (...values: string[]) => values.map((value, i) => ({ from: i % 2 ? 'gpt' : 'human', value }));
