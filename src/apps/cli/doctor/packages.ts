import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { asTesseraError } from '../../../base/index.ts';
import type { Check } from './check.ts';
import { broken, good } from './check.ts';

const packages = ['onnxruntime-node', 'koffi', '@huggingface/tokenizers'];

/** A red, a green and a blue pixel side by side. */
const image = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAMAAAABCAIAAACUgoPjAAAADklEQVR42mP4z8DAAMYADvsC/hR0WEIAAAAASUVORK5CYII=',
  'base64',
);

/** The packages that tessera cannot do without. */
export async function packageChecks(): Promise<Check[]> {
  return [...packages.map(packageCheck), await sharpCheck()];
}

function packageCheck(name: string): Check {
  const version = versionOf(name);
  return version === undefined ? broken(name, 'not installed', 'run npm ci') : good(name, version);
}

function versionOf(name: string): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path));
  return file && (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Its native half may be missing where the package is there, so it has to read an image. */
async function sharpCheck(): Promise<Check> {
  const name = 'sharp';
  const remedy = 'run npm ci again on this machine; --os, --cpu and --omit=optional leave its native half out';
  try {
    const { default: sharp } = await import('sharp');
    const pixels = await sharp(image).removeAlpha().raw().toBuffer();
    const right = pixels.equals(Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255]));
    return right ? good(name, `${versionOf(name)}, reads an image`) : broken(name, 'reads an image wrongly', remedy);
  } catch (error) {
    return broken(name, asTesseraError(error, { code: 'doctor/sharp' }).message.split('\n')[0] ?? '', remedy);
  }
}
