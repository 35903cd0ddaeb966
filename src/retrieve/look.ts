import { type Named, raise, type Tensor, TesseraError } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import { declareInputs, type Model } from '../models/index.ts';
import { ParameterTrace, type Scope } from '../nn/index.ts';
import { compile } from '../runtime/index.ts';
import type { RetrieverParts } from './folder.ts';
import { imageReader } from './images.ts';

const imagesAtOnce = 32;

/**
 * Unit vectors of images by a model's own encoder, in the order of the paths: like images have like ones.
 * @throws TesseraError `model/cannot`; for images that cannot be read, the faults of a batch at once
 */
export async function imageVectors(
  { engine, model, store, processor }: Omit<RetrieverParts, 'tokenizer'>,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const images = model.processor(processor);
  const names = new Set(Object.keys(images.inputs).filter((name) => images.inputs[name]?.join === 'flat'));
  const graph = new Graph();
  const vectors = lookOf(model)(new ParameterTrace(graph).root(), declareInputs(graph, images.inputs, names));
  const session = await compile(engine, graph, new Map([['vectors', vectors]]), `look-${model.architecture}`);
  const found: Float32Array[] = [];
  try {
    for await (const { feeds, unread } of imageReader(images)(paths, [...paths.keys()], imagesAtOnce)) {
      signal?.throwIfAborted();
      raise(unread.map(({ fault }) => fault));
      const own = session.inputs.map(({ name }) => [name, feeds.get(name) ?? store.tensors.get(name)] as const);
      const outputs = await session.run(new Map(own.filter((feed): feed is [string, Tensor] => feed[1] !== undefined)));
      found.push(...unitRows(outputs.get('vectors') as Tensor<'float32'>));
    }
    return found;
  } finally {
    session.dispose();
  }
}

function lookOf({ look, architecture }: Model): (p: Scope, x: Named<Value>) => Value {
  if (look) return look;
  throw new TesseraError({
    code: 'model/cannot',
    message: 'the model has no vector for an image alone',
    path: architecture,
    expected: 'a model whose encoder gives one',
  });
}

function unitRows({ shape, data }: Tensor<'float32'>): Float32Array[] {
  const [count, width] = shape as [number, number];
  return Array.from({ length: count }, (_, i) => {
    const row = data.slice(i * width, (i + 1) * width);
    const norm = Math.hypot(...row) || 1;
    return row.map((x) => x / norm);
  });
}
