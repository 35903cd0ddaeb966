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
import { type ExternalInitializer, encodeModel, lower, type OnnxModel, type OnnxNode } from '../onnx/index.ts';
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
  const weights = storedWeights(partial, paths, dtype);
  const lowered = withWeights(traced(model), weights, dtype);
  const doc = describePorts(lowered.graph, model);
  writeFileSync(join(partial, 'model.onnx'), encodeModel({ ...lowered, graph: { ...lowered.graph, doc } }));
  writeFileSync(join(partial, 'README.md'), onnxCard(lowered.graph, model, dtype));
}

function traced(model: Model): OnnxModel {
  const graph = new Graph();
  const x = declareInputs(graph, model.processor().inputs);
  const outputs = new Map(Object.entries(model.forward(new ParameterTrace(graph).root(), x)));
  return lower(graph, outputs, { name: model.architecture, target: 'portable' });
}

/** The tensors of `model.safetensors`, by the paths of the parameters that they are. */
export function storedWeights(
  folder: string,
  paths: ReadonlyMap<string, string>,
  dtype: SaveDType,
): Map<string, ExternalInitializer> {
  const { tensors } = openSafetensors(join(folder, 'model.safetensors'));
  return new Map(
    [...tensors.values()].map(({ name: key, shape, begin, end }) => {
      const name = paths.get(key) as string;
      const external = { location: 'model.safetensors', offset: begin, length: end - begin };
      return [name, { name, dtype, shape, external }];
    }),
  );
}

/** The model with its parameters as initializers in the place of inputs; weights of 16 bits are widened as it begins. */
export function withWeights(
  model: OnnxModel,
  weights: ReadonlyMap<string, ExternalInitializer>,
  dtype: SaveDType,
): OnnxModel {
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

function widening({ name }: ExternalInitializer): OnnxNode {
  return {
    opType: 'Cast',
    domain: '',
    name: `${name}.widen`,
    inputs: [storedName(name)],
    outputs: [name],
    attributes: { to: { type: 'int', value: dtypeInfo.float32.onnx } },
  };
}
