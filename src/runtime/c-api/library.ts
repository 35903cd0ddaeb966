import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TesseraError } from '../../base/index.ts';

const fileNames: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
};

/** Folder of the npm package onnxruntime-node. */
function packageRoot(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  } catch (cause) {
    const fault = { code: 'runtime/no-library', message: 'onnxruntime-node is not installed', remedy: 'run npm ci' };
    throw new TesseraError(fault, { cause });
  }
}

/** Version of the npm package, which its library must have too. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version;
}

/**
 * Path of ONNX Runtime's shared library in the npm package.
 * @throws TesseraError `runtime/no-library` where the package has none for this platform.
 */
export function libraryPath(platform: NodeJS.Platform = process.platform, arch: string = process.arch): string {
  const path = join(packageRoot(), 'bin', 'napi-v6', platform, arch, fileNames[platform] ?? 'libonnxruntime');
  if (existsSync(path)) return path;
  throw new TesseraError({
    code: 'runtime/no-library',
    message: `onnxruntime-node has no library for ${platform} ${arch}`,
    path,
    expected: 'linux, darwin or win32 on x64 or arm64',
    got: `${platform} ${arch}`,
  });
}
