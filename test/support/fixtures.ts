import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '../../src/base/index.ts';
import { openSafetensors, readTensor } from '../../src/models/index.ts';

/** Absolute path of a file or folder under `test/fixtures`. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}

export function fixtureJson(path: string): unknown {
  return JSON.parse(readFileSync(fixture(path), 'utf8'));
}

/** Every tensor of a safetensors fixture. */
export function fixtureTensors(path: string): Map<string, Tensor> {
  const file = openSafetensors(fixture(path));
  return new Map([...file.tensors.keys()].map((name) => [name, readTensor(file, name)]));
}

/** The numbers of a tensor of any type. */
export function numbers(t: Tensor | undefined): number[] {
  if (!t) throw new Error('the fixture lacks a tensor');
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}
