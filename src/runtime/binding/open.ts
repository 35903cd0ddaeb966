import { asTesseraError } from '../../base/index.ts';
import type { Engine } from '../engine.ts';
import { keepRefused } from '../keep-refused.ts';
import { bindingEngine } from './engine.ts';

/**
 * The npm package for Node. On the processor it needs no foreign-function calls; on a GPU it runs by WebGPU, which the
 * package brings along on Linux, Windows and macOS.
 */
export async function openBindingEngine(name: 'binding' | 'webgpu', threads: number): Promise<Engine> {
  const ort = await loadPackage();
  const version = ort.env.versions.node ?? 'unknown';
  return bindingEngine({ ort, name, target: name === 'webgpu' ? 'webgpu' : 'cpu', version, threads, keepRefused });
}

async function loadPackage() {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    throw asTesseraError(error, { code: 'runtime/binding', remedy: 'run npm ci' });
  }
}
