import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type Named, type Shape, TesseraError } from '../base/index.ts';
import { cast, Graph, reduceSum, sizeScalar, sub, type Value } from '../graph/index.ts';
import {
  type ConfigJson,
  copySideFiles,
  fileForm,
  type JsonObject,
  type Model,
  type ModelPlace,
  openModel,
  type Pieces,
  readJsonObject,
  readOptionalJsonObject,
  type SaveDType,
  writeCheckpoint,
  writeJsonObject,
} from '../models/index.ts';
import { ParameterTrace, type Scope } from '../nn/index.ts';
import { type ExternalInitializer, encodeModel, lower, type OnnxPort } from '../onnx/index.ts';
import { storedWeights, withWeights } from './onnx.ts';
import { transformersJsCard } from './transformers-js-card.ts';

/** A graph of the folder. */
interface Piece {
  readonly name: string;
  readonly build: (graph: Graph, p: Scope) => ReadonlyMap<string, Value>;
}

/**
 * A folder that transformers.js reads: `onnx/` holds a graph for the words, one for images and one for the decoder, which keeps
 * keys and values of the words before; a language model alone is one graph. Each has its weights beside it.
 * @throws TesseraError `export/no-pieces` for a model that is not cut so, `export/preprocessing` for images that are prepared
 *   as transformers.js cannot
 */
export function writeTransformersJs(partial: string, place: ModelPlace, dtype: SaveDType): void {
  const loaded = openModel(place);
  const { model } = loaded;
  const pieces = piecesOf(model, place);
  const { config, tensors, paths } = fileForm(loaded, dtype);
  for (const source of [place.folder, place.adapter]) if (source !== undefined) copySideFiles(source, partial);
  if (pieces.imageRows) writePreprocessing(partial, model, place);
  putTemplateInConfig(partial);
  writeJsonObject(join(partial, 'config.json'), {
    ...config,
    // Weights of 16 bits are widened as a graph begins, so every file is one of float32 to transformers.js.
    'transformers.js_config': { dtype: 'fp32', use_external_data_format: true },
  } as JsonObject);
  writeCheckpoint(partial, tensors, { dtype, maxShardBytes: Number.POSITIVE_INFINITY });
  const weights = storedWeights(partial, paths, dtype);
  mkdirSync(join(partial, 'onnx'));
  for (const piece of graphsOf(model, pieces)) writePiece(partial, piece, weights, dtype);
  rmSync(join(partial, 'model.safetensors'));
  writeFileSync(join(partial, 'README.md'), transformersJsCard(pieces.imageRows !== undefined, dtype));
}

function piecesOf({ pieces, architecture, writer }: Model, { folder }: ModelPlace): Pieces {
  const kept = Object.keys(pieces?.decoder.state ?? {});
  if (pieces && kept.length > 0 && kept.every((name) => cacheName('', name) !== undefined)) return pieces;
  throw new TesseraError({
    code: 'export/no-pieces',
    message: 'transformers.js has no layout for this model',
    path: folder,
    expected: 'a language model, or one that reads images as rows between words',
    got: architecture,
    remedy: writer ? '`--to onnx` writes one graph for ONNX Runtime' : '`--to onnx` writes its graph',
  });
}

/** transformers.js's name of what a decoder keeps: `key.3` is `past_key_values.3.key`. */
function cacheName(prefix: string, name: string): string | undefined {
  const [, side, layer] = /^(key|value)\.(\d+)$/.exec(name) ?? [];
  return layer === undefined ? undefined : `${prefix}.${layer}.${side}`;
}

const [ROWS, TOKENS, PAST, TOTAL] = ['batch_size', 'sequence_length', 'past_sequence_length', 'total_sequence_length'];

function graphsOf(model: Model, { decoder, at, imageRows }: Pieces): Piece[] {
  const language = (p: Scope) => (at === '' ? p : p.at(at));
  const embed = (graph: Graph, p: Scope) =>
    decoder.embed(language(p), cast(graph.input('input_ids', 'int64', [ROWS, TOKENS]), 'int32'));
  const decode = (graph: Graph, p: Scope, embeds: Value): Map<string, Value> => {
    const mask = graph.input('attention_mask', 'int64', [ROWS, TOTAL]);
    const values = Object.entries(decoder.state).map(([name, shape]) => [
      name,
      graph.input(cacheName('past_key_values', name) as string, 'float32', cacheShape(shape)),
    ]);
    const { hidden, state } = decoder.decode(language(p), embeds, {
      state: {
        values: Object.fromEntries(values) as Named<Value>,
        lastPosition: cast(sub(reduceSum(mask, [1]), 1), 'int32'),
        total: cast(sizeScalar(mask, TOTAL), 'int32'),
      },
    });
    const present = Object.entries(state).map(
      ([name, value]) => [cacheName('present', name) as string, value] as const,
    );
    return new Map([['logits', decoder.head(language(p), hidden)], ...present]);
  };
  if (!imageRows) return [{ name: 'model', build: (graph, p) => decode(graph, p, embed(graph, p)) }];
  const { height, width } = model.image as NonNullable<Model['image']>;
  const pixels = (graph: Graph) => graph.input('pixel_values', 'float32', [ROWS, 3, height, width]);
  return [
    { name: 'embed_tokens', build: (graph, p) => new Map([['inputs_embeds', embed(graph, p)]]) },
    { name: 'vision_encoder', build: (graph, p) => new Map([['image_features', imageRows(p, pixels(graph))]]) },
    {
      name: 'decoder_model_merged',
      build: (graph, p) => decode(graph, p, graph.input('inputs_embeds', 'float32', [ROWS, TOKENS, decoder.width])),
    },
  ];
}

const cacheShape = (shape: Shape): Shape => shape.map((size) => ({ B: ROWS, C: PAST })[size] ?? size);

/** What is kept after a call is longer than what was kept before. */
function grown(port: OnnxPort): OnnxPort {
  return { ...port, shape: port.shape.map((size) => (size === PAST ? TOTAL : size)) };
}

function writePiece(
  partial: string,
  { name, build }: Piece,
  weights: ReadonlyMap<string, ExternalInitializer>,
  dtype: SaveDType,
): void {
  const graph = new Graph();
  const lowered = lower(graph, build(graph, new ParameterTrace(graph).root()), { name, target: 'portable' });
  const used = lowered.graph.inputs.flatMap((input) => weights.get(input.name) ?? []);
  const location = `${name}.onnx_data`;
  const beside = copyWeights(join(partial, 'model.safetensors'), join(partial, 'onnx', location), used);
  const whole = withWeights(lowered, new Map(beside.map((weight) => [weight.name, weight])), dtype);
  const outputs = whole.graph.outputs.map(grown);
  writeFileSync(join(partial, 'onnx', `${name}.onnx`), encodeModel({ ...whole, graph: { ...whole.graph, outputs } }));
}

/** Bytes that are copied at a time. */
const chunkBytes = 1 << 24;
/** Where a weight may begin: the page of the systems that map files. */
const alignment = 4096;

/** Copies weights from one file to another; where they are then. */
function copyWeights(from: string, to: string, weights: readonly ExternalInitializer[]): ExternalInitializer[] {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'wx')];
  const location = basename(to);
  try {
    let end = 0;
    return weights.map((weight) => {
      const { offset, length } = weight.external;
      const begin = Math.ceil(end / alignment) * alignment;
      copyRange(source, offset, target, begin, length);
      end = begin + length;
      return { ...weight, external: { location, offset: begin, length } };
    });
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function copyRange(source: number, from: number, target: number, to: number, length: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, length));
  for (let done = 0; done < length; ) {
    const read = readSync(source, chunk, 0, Math.min(chunk.length, length - done), from + done);
    for (let put = 0; put < read; ) put += writeSync(target, chunk, put, read - put, to + done + put);
    done += read;
  }
}

/** transformers.js finds a processor by the class that this file names, and counts no row that a tower leaves out. */
function writePreprocessing(partial: string, model: Model, { folder }: ModelPlace): void {
  const file = join(partial, 'preprocessor_config.json');
  const images = readOptionalJsonObject(file);
  if (images?.do_pad === true || images?.image_aspect_ratio === 'pad') {
    throw new TesseraError({
      code: 'export/preprocessing',
      message: 'the model pads images to squares, and transformers.js would cut their sides off',
      path: folder,
      expected: 'a model that was trained with `pictures: crop`',
      remedy: '`--to onnx` writes a graph that takes prepared pixels',
    });
  }
  writeJsonObject(file, { ...images, processor_class: 'LlavaProcessor' });
  const words = model.processorConfig?.(imageToken(partial, model)) as ConfigJson;
  const left = words.vision_feature_select_strategy === 'default' ? 1 : 0;
  const rows = Number(words.num_additional_image_tokens) - left;
  writeJsonObject(join(partial, 'processor_config.json'), {
    ...words,
    num_additional_image_tokens: rows,
  } as JsonObject);
}

/** The token that stands for an image, as its tokenizer writes it. */
function imageToken(folder: string, { image }: Model): string {
  const { added_tokens: added } = readJsonObject(join(folder, 'tokenizer.json')) as {
    added_tokens?: readonly { readonly id: number; readonly content: string }[];
  };
  return added?.find(({ id }) => id === image?.tokenId)?.content ?? '<image>';
}

/** transformers.js reads the template in the tokenizer's configuration alone. */
function putTemplateInConfig(partial: string): void {
  const template = join(partial, 'chat_template.jinja');
  if (!existsSync(template)) return;
  const file = join(partial, 'tokenizer_config.json');
  writeJsonObject(file, { ...readOptionalJsonObject(file), chat_template: readFileSync(template, 'utf8') });
}
