import { asTesseraError } from '../base/index.ts';
import type { Backend, Engine } from './engine.ts';
import { openEngine } from './open.ts';
import { selfCheck } from './self-check.ts';
import { openWebEngine } from './web/open.ts';

/** A way to run models on this machine. A new one is a line in the list below. */
export interface Provider {
  readonly name: Backend;
  readonly describe: string;
  /** What to do when it does not work. */
  readonly remedy: string;
}

export const providers: readonly Provider[] = [
  {
    name: 'c-api',
    describe: 'processor, by the C API of ONNX Runtime',
    remedy: 'run npm ci on a platform that koffi and onnxruntime-node support; until then the npm binding serves',
  },
  {
    name: 'binding',
    describe: 'processor, by the npm binding',
    remedy: 'run npm ci again, on Linux with glibc, macOS or Windows',
  },
  {
    name: 'webgpu',
    describe: 'GPU, by WebGPU',
    remedy:
      'install the driver of the GPU (on Linux one with Vulkan); without a GPU nothing is lost, the processor serves',
  },
  {
    name: 'wasm',
    describe: 'browsers, by WebAssembly',
    remedy: 'run npm ci again, for onnxruntime-web; only pages for browsers need it',
  },
];

/**
 * Opens a provider and makes it compute something small whose result is known. A broken driver may take the process
 * down, so what must go on asks another process to do this.
 * @throws TesseraError whatever is in the way
 */
export async function tryProvider(name: Backend): Promise<{ readonly version: string; readonly threads: number }> {
  const engine = await (name === 'wasm' ? openWasm() : openEngine({ backend: name }));
  await selfCheck(engine);
  return { version: engine.version, threads: engine.threads };
}

/** The package for browsers reads its files from a disk as well. */
function openWasm(): Promise<Engine> {
  return openWebEngine({ assets: new URL('./', webAssembly()).href });
}

function webAssembly(): string {
  try {
    return import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  } catch (error) {
    throw asTesseraError(error, { code: 'runtime/web', expected: 'the package onnxruntime-web' });
  }
}
