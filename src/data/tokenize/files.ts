import { TesseraError } from '../../base/index.ts';
import { isJsonObject, join, parseJson, pathExists, readText } from '../../files/index.ts';

/** The files that make a tokenizer, name to text; a checkpoint carries them on unchanged. */
export type TokenizerFiles = ReadonlyMap<string, string>;

const REQUIRED = ['tokenizer.json', 'tokenizer_config.json'];
const OPTIONAL = ['special_tokens_map.json', 'added_tokens.json'];

/** Reads the tokenizer files of a Hugging Face folder. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const files = new Map<string, string>();
  for (const name of [...REQUIRED, ...OPTIONAL]) {
    const path = join(folder, name);
    if (pathExists(path)) files.set(name, readText(path, { code: 'tokenize/file' }));
    else if (REQUIRED.includes(name)) throw absent(name, path);
  }
  return files;
}

function absent(name: string, path: string): TesseraError {
  return new TesseraError({
    code: 'tokenize/file',
    message: `the folder has no ${name}`,
    path,
    remedy: 'a Hugging Face folder with a fast tokenizer has tokenizer.json and tokenizer_config.json',
  });
}

/**
 * `tokenizer_config.json`, with the tokens that `special_tokens_map.json` names. As transformers reads them, the map
 * counts, and before the configuration, unless the configuration lists its added tokens itself.
 */
export function parseTokenizerConfig(files: TokenizerFiles): Record<string, unknown> {
  const config = parseTokenizerFile(files, 'tokenizer_config.json');
  const complete = config.added_tokens_decoder !== undefined || !files.has('special_tokens_map.json');
  return complete ? config : { ...config, ...parseTokenizerFile(files, 'special_tokens_map.json') };
}

/** One of the files as a JSON object. */
export function parseTokenizerFile(files: TokenizerFiles, name: string): Record<string, unknown> {
  const value = parseJson(files.get(name) ?? '', { file: name, area: 'tokenize' });
  if (isJsonObject(value)) return value;
  throw new TesseraError({ code: 'tokenize/json', message: 'the file holds no object', path: name });
}
