import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFolder } from '../files/index.ts';
import { copySideFiles, loadModel, modelFolder, saveModel } from '../models/index.ts';
import { writeOnnx } from './export-onnx.ts';
import { runFolder } from './folder.ts';
import type { ExportOptions } from './types.ts';

/**
 * Writes a model as a Hugging Face folder, a run's adapters alone in PEFT layout, or an ONNX file beside its weights;
 * the files written. Adapters are merged where `merge` asks for it, and always in ONNX.
 */
export async function exportModel(folder: string, options: ExportOptions): Promise<readonly string[]> {
  const { adapter } = runFolder(folder);
  const source = modelFolder(folder);
  const fill = (partial: string) => {
    if (options.to === 'onnx') writeOnnx(partial, source, options.dtype);
    else if (existsSync(adapter) && !options.merge) cpSync(adapter, partial, { recursive: true });
    else writeHuggingFace(partial, source, options);
  };
  writeFolder(options.out, fill, { sources: [folder] });
  return readdirSync(options.out).map((name) => join(options.out, name));
}

function writeHuggingFace(partial: string, source: string, { dtype }: ExportOptions): void {
  saveModel(partial, loadModel(source), dtype);
  copySideFiles(source, partial);
  const card = join(source, 'README.md');
  if (existsSync(card)) cpSync(card, join(partial, 'README.md'));
}
