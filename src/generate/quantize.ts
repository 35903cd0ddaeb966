import { TesseraError } from '../base/index.ts';
import type { QuantizedMatrix } from '../graph/index.ts';
import { isInBlocks } from '../models/index.ts';
import { type ParameterStore, type QuantizeOptions, quantizeMatrix, storeOf } from '../nn/index.ts';
import type { GenerationProgramOptions } from './program.ts';

/** How many bits the language model's matrices have while it answers. */
export type Quantization = 'int4' | 'int8';

/** How the matrices of the blocks are rounded, and that of the head. */
export interface QuantizeWay {
  readonly blocks: QuantizeOptions;
  readonly head: QuantizeOptions;
}

const byte = { bits: 8, block: 128 } as const;
const ways: Readonly<Record<Quantization, QuantizeWay>> = {
  int4: { blocks: { bits: 4, block: 32 }, head: byte },
  int8: { blocks: byte, head: byte },
};

/**
 * The same model with the matrices of its language model in few bits; a head of its own gets 8 bits in any case, since
 * what it rounds off is not made up for by a later layer.
 * @throws TesseraError `generate/quantize` where the engine has no products of few bits
 */
export function quantizeWeights<O extends GenerationProgramOptions>(options: O, how: Quantization): O {
  const { target, name } = options.engine;
  if (target === 'cpu') return roundWeights(options, ways[how]);
  throw new TesseraError({
    code: 'generate/quantize',
    message: 'weights in few bits run on the processor alone',
    expected: 'an engine for the processor',
    got: name,
    remedy: 'leave quantize out, or set TESSERA_ENGINE=c-api',
  });
}

/** As `quantizeWeights`, in a way of one's own. */
export function roundWeights<O extends GenerationProgramOptions>(options: O, { blocks, head }: QuantizeWay): O {
  const { store, model } = options;
  const { linears } = model.writer;
  const quantized = new Map<string, QuantizedMatrix>();
  // Images, projectors, norms and tables keep their float32.
  for (const [path, tensor] of store.tensors) {
    if (!store.specs.get(path)?.linear) continue;
    if (isInBlocks(linears, path)) quantized.set(path, quantizeMatrix(tensor, blocks));
    else if (path === `${linears.head}.weight`) quantized.set(path, quantizeMatrix(tensor, head));
  }
  return { ...options, quantized, store: without(store, quantized) };
}

function without({ specs, tensors }: ParameterStore, paths: ReadonlyMap<string, unknown>): ParameterStore {
  return storeOf(new Map([...specs].filter(([path]) => !paths.has(path))), copied(tensors, paths));
}

/** Copies, so that the buffer that also holds the matrices can be freed. */
function copied(tensors: ParameterStore['tensors'], paths: ReadonlyMap<string, unknown>): ParameterStore['tensors'] {
  const kept = [...tensors].filter(([path]) => !paths.has(path));
  return new Map(kept.map(([path, tensor]) => [path, { ...tensor, data: tensor.data.slice() }]));
}
