import { TesseraError } from '../../base/index.ts';
import { join, keepFile, lookUp } from '../../files/index.ts';
import { readJsonObject } from './folder.ts';
import { sideFileNames } from './side-files.ts';

const weights = 'model.safetensors';
const index = `${weights}.index.json`;

/**
 * Fetches a model folder that a server offers, so that the readers of folders find it under its URL. For browsers; a
 * server that lists no folders is enough, since every file has a name of its own.
 * @throws TesseraError `folder/fetch` for any answer but the file or its absence.
 */
export async function fetchFolder(url: string): Promise<void> {
  await Promise.all(['config.json', weights, index, ...sideFileNames].map((name) => fetchFile(url, name)));
  if (!lookUp(join(url, index))) return;
  const shards = new Set(Object.values(readJsonObject(join(url, index)).weight_map ?? {}));
  await Promise.all([...shards].map((name) => fetchFile(url, String(name))));
}

async function fetchFile(folder: string, name: string): Promise<void> {
  const path = `${folder}/${name}`;
  try {
    const answer = await fetch(path);
    if (answer.ok) keepFile(path, new Uint8Array(await answer.arrayBuffer()));
    else if (answer.status !== 404) throw new Error(`${answer.status} ${answer.statusText}`);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    const fault = {
      code: 'folder/fetch',
      message: 'the file cannot be fetched',
      path,
      expected: 'the file, or 404',
      got,
    };
    throw new TesseraError(fault, { cause });
  }
}
