import { TesseraError } from '../../base/index.ts';
import { isJsonObject, keepFile, parseJson } from '../../files/index.ts';
import { sideFileNames } from './side-files.ts';

const weights = 'model.safetensors';
const index = `${weights}.index.json`;

/**
 * Fetches a model folder that a server offers, so that the readers of folders find it under its URL. For browsers; a
 * server that lists no folders is enough, since every file has a name of its own.
 * @throws TesseraError `folder/fetch` for any answer but the file or its absence.
 */
export async function fetchFolder(url: string): Promise<void> {
  const fetchAll = (names: readonly string[]) => Promise.all(names.map((name) => fetchFile(url, name)));
  const [found] = await fetchAll([index, 'config.json', weights, ...sideFileNames]);
  if (found) await fetchAll(shardsOf(found, `${url}/${index}`));
}

/** The files that an index names. Whoever opens the weights says what is wrong with it. */
function shardsOf(bytes: Uint8Array, file: string): string[] {
  const json = parseJson(new TextDecoder().decode(bytes), { file, area: 'checkpoint' });
  const map = isJsonObject(json) ? json.weight_map : undefined;
  return isJsonObject(map) ? [...new Set(Object.values(map).map(String))] : [];
}

async function fetchFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = `${folder}/${name}`;
  const answer = await fetch(path).catch((cause) => refuse(path, String(cause.cause ?? cause), cause));
  if (answer.status === 404) return undefined;
  if (!answer.ok) refuse(path, `${answer.status} ${answer.statusText}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  keepFile(path, bytes);
  return bytes;
}

function refuse(path: string, got: string, cause?: unknown): never {
  const fault = {
    code: 'folder/fetch',
    message: 'the file cannot be fetched',
    path,
    expected: 'the file, or 404',
    got,
  };
  throw new TesseraError(fault, { cause });
}
