import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dtypeInfo } from '../base/index.ts';
import { Graph } from '../graph/index.ts';
import {
  copySideFiles,
  declareInputs,
  fileForm,
  type Model,
  type ModelPlace,
  openModel,
  openSafetensors,
  type SaveDType,
  writeCheckpoint,
  writeJsonObject,
} from '../models/index.ts';
import { ParameterTrace } from '../nn/index.ts';
import { encodeModel, lower, type OnnxInitializer, type OnnxModel, type OnnxNode } from '../onnx/index.ts';
import { describePorts, onnxCard } from './onnx-card.ts';

/**
 * One graph from a model's inputs to its outputs: logits of every position, or the unit vectors of images and texts.
 * The weights stay in `model.safetensors`, which the ONNX file refers to by offset, so nothing is stored twice. Weights of
 * 16 bits are widened as the graph begins: it computes in float32 whatever is stored.
 */
export function writeOnnx(partial: string, place: ModelPlace, dtype: SaveDType): void {
  const loaded = openModel(place);
  const { model } = loaded;
  const { config, tensors, paths } = fileForm(loaded, dtype);
  writeCheckpoint(partial, tensors, { dtype, maxShardBytes: Number.POSITIVE_INFINITY });
  for (const source of [place.folder, place.adapter]) if (source !== undefined) copySideFiles(source, partial);
  writeJsonObject(join(partial, 'config.json'), config);
  const weights = new Map<string, OnnxInitializer>();
  for (const stored of openSafetensors(join(partial, 'model.safetensors')).tensors.values()) {
    const name = paths.get(stored.name) as string;
    const external = { location: 'model.safetensors', offset: stored.begin, length: stored.end - stored.begin };
    weights.set(name, { name, dtype, shape: stored.shape, external });
  }
  const lowered = withWeights(traced(model), weights, dtype);
  const doc = describePorts(lowered.graph, model);
  writeFileSync(join(partial, 'model.onnx'), encodeModel({ ...lowered, graph: { ...lowered.graph, doc } }));
  writeFileSync(join(partial, 'README.md'), onnxCard(lowered.graph, model, dtype));
}

function traced(model: Model): OnnxModel {
  const graph = new Graph();
  const x = declareInputs(graph, model.processor().inputs);
  const outputs = new Map(Object.entries(model.forward(new ParameterTrace(graph).root(), x)));
  return lower(graph, outputs, { name: model.architecture });
}

/** The model with its parameters as initializers in the place of inputs. */
function withWeights(model: OnnxModel, weights: ReadonlyMap<string, OnnxInitializer>, dtype: SaveDType): OnnxModel {
  const { graph } = model;
  const used = graph.inputs.flatMap(({ name }) => weights.get(name) ?? []);
  const narrow = dtype !== 'float32';
  const stored = narrow ? used.map((weight) => ({ ...weight, name: storedName(weight.name) })) : used;
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...(narrow ? used.map(widening) : []), ...graph.nodes],
      inputs: graph.inputs.filter(({ name }) => !weights.has(name)),
      initializers: [...graph.initializers, ...stored],
    },
  };
}

const storedName = (name: string) => `${name}.stored`;

function widening({ name }: OnnxInitializer): OnnxNode {
  return {
    opType: 'Cast',
    domain: '',
    name: `${name}.widen`,
    inputs: [storedName(name)],
    outputs: [name],
    attributes: { to: { type: 'int', value: dtypeInfo.float32.onnx } },
  };
}
