import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asTesseraError, TesseraError } from '../../base/index.ts';

/** The files that make a tokenizer, name to text; a checkpoint carries them on unchanged. */
export type TokenizerFiles = ReadonlyMap<string, string>;

const REQUIRED = ['tokenizer.json', 'tokenizer_config.json'];
const OPTIONAL = ['special_tokens_map.json', 'added_tokens.json'];

/** Reads the tokenizer files of a Hugging Face folder. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const files = new Map<string, string>();
  for (const name of [...REQUIRED, ...OPTIONAL]) {
    try {
      files.set(name, await readFile(join(folder, name), 'utf8'));
    } catch (error) {
      const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (absent && OPTIONAL.includes(name)) continue;
      throw new TesseraError(
        {
          code: 'tokenize/file',
          message: absent ? `the folder has no ${name}` : `${name} cannot be read`,
          path: join(folder, name),
          remedy: 'a Hugging Face folder with a fast tokenizer has tokenizer.json and tokenizer_config.json',
        },
        { cause: error },
      );
    }
  }
  return files;
}

/** One of the files as a JSON object. */
export function parseTokenizerFile(files: TokenizerFiles, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(files.get(name) ?? '');
  } catch (error) {
    throw asTesseraError(error, { code: 'tokenize/json', path: name, expected: 'a JSON object' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TesseraError({ code: 'tokenize/json', message: 'the file holds no object', path: name });
  }
  return value as Record<string, unknown>;
}
