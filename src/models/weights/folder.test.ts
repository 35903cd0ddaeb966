import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { copySideFiles } from './copy-side-files.ts';
import { readJsonObject, readOptionalJsonObject, writeJsonObject } from './folder.ts';

const { fresh } = scratchFolder();

describe('JSON files', () => {
  test('round trip, absent files, and faults with their line', () => {
    const path = join(fresh(), 'config.json');
    expect(readOptionalJsonObject(path)).toBeUndefined();
    expect(faultOf(() => readJsonObject(path)).code).toBe('folder/missing-file');
    writeJsonObject(path, { model_type: 'llava', list: [1, null] });
    expect(readOptionalJsonObject(path)).toEqual({ model_type: 'llava', list: [1, null] });
    writeFileSync(path, '{\n  "a": 1\n  "b": 2\n}');
    expect(() => readJsonObject(path)).toThrow(expect.objectContaining({ code: 'folder/json', path: `${path}:3:3` }));
    writeFileSync(path, '[]');
    expect(faultOf(() => readJsonObject(path)).code).toBe('folder/not-object');
    writeFileSync(path, Uint8Array.of(0x7b, 0xff));
    expect(faultOf(() => readJsonObject(path)).code).toBe('folder/read');
  });

  test('side files are copied, weights and config are not', () => {
    const [from, to] = [fresh(), fresh()];
    for (const name of ['tokenizer.json', 'chat_template.jinja', 'config.json', 'model.safetensors']) {
      writeFileSync(join(from, name), name);
    }
    expect(copySideFiles(from, to)).toEqual(['tokenizer.json', 'chat_template.jinja']);
    expect(readdirSync(to).sort()).toEqual(['chat_template.jinja', 'tokenizer.json']);
  });
});
