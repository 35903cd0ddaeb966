import { cpSync, existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { TesseraError } from '../base/index.ts';
import { writeAdapterExport, writeModelFolder, writeOnnx, writeTransformersJs } from '../export/index.ts';
import { filesWithin, sealFolder, writeFolder } from '../files/index.ts';
import {
  copySideFiles,
  isOriginalLlava,
  type LoadedModel,
  loadModel,
  type ModelPlace,
  modelPlace,
  namesBases,
  openModel,
  readJsonObject,
  saveModel,
} from '../models/index.ts';
import { runFolder } from './folder.ts';
import { partsFromPlace } from './parts.ts';
import type { ExportOptions } from './types.ts';

/**
 * Writes a model as a Hugging Face folder, its adapter alone in PEFT layout, an ONNX file beside its weights, or a folder for
 * transformers.js; the files written. Adapters, be they a run's, given, or beside the model, are merged where `merge` asks for
 * it, and always in ONNX.
 */
export async function exportModel(folder: string, options: ExportOptions): Promise<readonly string[]> {
  const place = modelPlace(folder, options.adapter);
  const adapter = place.adapter ?? ownAdapter(folder);
  const beside = [adapter, place.folder].find((each) => each !== undefined && namesBases(each));
  if (options.to === 'hf' && beside !== undefined && !options.merge) {
    writeFolder(options.out, (partial) => writeBeside(partial, beside, options), { sources: [folder, beside] });
    return filesWithin(options.out);
  }
  if (options.to === 'hf' && (adapter === undefined || options.merge) && isOriginal(place)) {
    await writeRelease(place, options);
    return filesWithin(options.out);
  }
  const fill = (partial: string) => {
    if (options.to === 'onnx') writeOnnx(partial, place, options.dtype);
    else if (options.to === 'transformers.js') writeTransformersJs(partial, place, options.dtype);
    else if (adapter !== undefined && !options.merge) writeAdapterExport(partial, { ...place, adapter }, options);
    else writeHuggingFace(partial, place, options);
    sealFolder(partial, ['README.md']);
  };
  writeFolder(options.out, fill, { sources: [folder, place.folder, ...(adapter === undefined ? [] : [adapter])] });
  return filesWithin(options.out);
}

/** The first LLaVA release names weights, slots of images and preprocessing in ways that other tools do not read. */
function isOriginal({ folder }: ModelPlace): boolean {
  return isOriginalLlava(readJsonObject(join(folder, 'config.json')));
}

async function writeRelease(place: ModelPlace, { dtype, out }: ExportOptions): Promise<void> {
  const parts = await partsFromPlace(place, false);
  const { template, processor } = parts;
  const sources = [place.folder, ...(place.adapter === undefined ? [] : [place.adapter])];
  writeModelFolder(out, parts, { dtype, ...(template && { template }), ...(processor && { processor }), sources });
}

/** That alone again, with the paths from its new folder. */
function writeBeside(partial: string, folder: string, { dtype, out }: ExportOptions): void {
  const loaded = loadModel(folder);
  const bases = Object.entries(loaded.from ?? {}).map(([part, place]) => [part, relative(out, place)]);
  saveModel(partial, loaded, dtype, Object.fromEntries(bases));
  copyPlaceFiles({ folder }, partial);
  sealFolder(partial, ['README.md']);
}

/** The adapter that a run has trained; its model has it merged already. */
function ownAdapter(folder: string): string | undefined {
  const { adapter } = runFolder(folder);
  return existsSync(adapter) ? adapter : undefined;
}

function writeHuggingFace(partial: string, place: ModelPlace, { dtype }: ExportOptions): void {
  const loaded = openModel(place);
  refuseUnshared(loaded, place);
  saveModel(partial, loaded, dtype);
  copyPlaceFiles(place, partial);
}

/** transformers would load such a folder, as another model. */
function refuseUnshared({ model: { unshared, architecture } }: LoadedModel, { folder }: ModelPlace): void {
  if (unshared === undefined) return;
  throw new TesseraError({
    code: 'export/no-class',
    message: `transformers has no class for ${unshared}, and would load the folder as another model`,
    path: folder,
    expected: `${architecture} of parts that its class in transformers has`,
    remedy: '`--to onnx` takes the model to other tools; tessera reads the folder as it is',
  });
}

/** Copies tokenizer, preprocessing, template and card of the base, and over them those that come with its adapter. */
export function copyPlaceFiles({ folder, adapter }: ModelPlace, to: string): void {
  for (const source of adapter === undefined ? [folder] : [folder, adapter]) {
    copySideFiles(source, to);
    if (existsSync(join(source, 'README.md'))) cpSync(join(source, 'README.md'), join(to, 'README.md'));
  }
}
