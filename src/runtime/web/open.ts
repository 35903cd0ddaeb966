import { asTesseraError } from '../../base/index.ts';
import { bindingEngine } from '../binding/engine.ts';
import type { Ort } from '../binding/ort.ts';
import type { Engine } from '../engine.ts';

export interface WebEngineOptions {
  /** URL of the folder that serves ONNX Runtime's WebAssembly files, with a slash at its end. */
  readonly assets: string;
  /** WebAssembly runs anywhere; WebGPU needs a GPU that the browser offers. */
  readonly backend?: 'wasm' | 'webgpu';
  /** More than one needs a page that is isolated across origins. */
  readonly threads?: number;
}

/**
 * Opens an engine in a browser.
 * @throws TesseraError `runtime/web` when ONNX Runtime cannot be loaded.
 * @example const engine = await openWebEngine({ assets: '/onnxruntime/' });
 */
export async function openWebEngine({ assets, backend = 'wasm', threads = 1 }: WebEngineOptions): Promise<Engine> {
  const ort = await loadPackage(backend);
  ort.env.wasm.wasmPaths = assets;
  ort.env.wasm.numThreads = threads;
  const version = ort.env.versions.web ?? 'unknown';
  return bindingEngine({ ort, name: backend, target: backend, version, threads });
}

async function loadPackage(backend: 'wasm' | 'webgpu'): Promise<Ort> {
  try {
    return backend === 'wasm' ? await import('onnxruntime-web/wasm') : await import('onnxruntime-web/webgpu');
  } catch (error) {
    throw asTesseraError(error, { code: 'runtime/web', expected: 'a browser with WebAssembly and its SIMD' });
  }
}
