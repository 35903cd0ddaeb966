import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFolder } from '../../files/index.ts';
import { Graph } from '../../graph/index.ts';
import {
  copySideFiles,
  forward,
  loadModel,
  modelFolder,
  openSafetensors,
  renameForFile,
  saveModel,
  writeCheckpoint,
} from '../../models/index.ts';
import { ParameterTrace } from '../../nn/index.ts';
import { encodeModel, lower, type OnnxInitializer } from '../../onnx/index.ts';
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
    if (options.to === 'onnx') writeOnnx(partial, source);
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

/**
 * One graph from a model's inputs to its outputs: logits of every position, or the unit vectors of pictures and texts.
 * The weights stay in `model.safetensors`, which the ONNX file refers to by offset, so nothing is stored twice.
 */
function writeOnnx(partial: string, source: string): void {
  const { model, store, layout } = loadModel(source);
  const named = renameForFile(store.tensors, layout);
  const pathOf = new Map([...named.keys()].map((name, i) => [name, [...store.tensors.keys()][i] as string]));
  writeCheckpoint(partial, named, { maxShardBytes: Number.POSITIVE_INFINITY });
  copySideFiles(source, partial);
  cpSync(join(source, 'config.json'), join(partial, 'config.json'));
  const weights = new Map<string, OnnxInitializer>();
  for (const stored of openSafetensors(join(partial, 'model.safetensors')).tensors.values()) {
    const name = pathOf.get(stored.name) as string;
    const external = { location: 'model.safetensors', offset: stored.begin, length: stored.end - stored.begin };
    weights.set(name, { name, dtype: 'float32', shape: stored.shape, external });
  }
  const graph = new Graph();
  const lowered = lower(graph, forward(model, new ParameterTrace(graph).root()), { name: model.architecture });
  const used = lowered.graph.inputs.flatMap(({ name }) => weights.get(name) ?? []);
  const proto = {
    ...lowered.graph,
    inputs: lowered.graph.inputs.filter(({ name }) => !weights.has(name)),
    initializers: [...lowered.graph.initializers, ...used],
  };
  writeFileSync(join(partial, 'model.onnx'), encodeModel({ ...lowered, graph: proto }));
}
