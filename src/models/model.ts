import { type Dim, type Named, type Shape, TesseraError } from '../base/index.ts';
import type { ImageProcessor, Processor, Size } from '../data/index.ts';
import type { Value } from '../graph/index.ts';
import type { Scope } from '../nn/index.ts';
import type { ConfigJson } from './config.ts';
import type { Decoder, DecoderState, KeyValue, LinearPlaces, SourceReader } from './decoders/index.ts';
import type { Layout } from './weights/index.ts';

/** A model: what it takes, where its parts are, and what it can do. */
export interface Model {
  readonly architecture: string;
  readonly json: ConfigJson;
  /** The key names under which files hold its parameters, the usual ones first. */
  readonly layouts: readonly Layout[];
  /** Parameters that files may hold twice, by the name of the copy. */
  readonly tied: Named<string>;
  /** Where its parts are in the parameter tree, by what they do: `language`, `vision`, `projector`. `''` is all of it. */
  readonly parts: Named<string>;
  /** Tables of which training moves these rows alone, such as those of added tokens, by path. */
  readonly openRows?: Named<readonly number[]>;
  /** What of it transformers has no class for, so that its folder would be another model there. */
  readonly unshared?: string | undefined;
  /** Parts that its method leaves as they were: a folder of what is trained beside them names theirs and does not hold them. */
  readonly hosts?: readonly string[];
  /** Absent where the model sees no images. */
  readonly image?: ModelImage;
  /** How rows become its inputs. @param images how images are prepared, at the configuration's own size when absent */
  processor(images?: ImageProcessor): Processor;
  /** `processor_config.json` as other tools read it, where they want one. */
  processorConfig?(imageToken: string): ConfigJson;
  /** Everything that it computes, by name: logits, embeddings or states. All its parameters are asked for here. */
  forward(p: Scope, x: Named<Value>): Named<Value>;
  /** One vector of each image, `[N, D]`, by its own encoder alone: images that are alike have like ones. */
  look?(p: Scope, x: Named<Value>): Value;
  readonly writer?: Writer;
  readonly embedder?: Embedder;
  readonly matcher?: Matcher;
  readonly painter?: Painter;
  readonly quantizer?: Quantizer;
  /** Set where all that it does is a decoder that reads images as rows between its words. */
  readonly pieces?: Pieces;
}

/** What a model's configuration says of images. */
export interface ModelImage extends Size {
  /** The token that marks an image in a prompt; absent where none does. */
  readonly tokenId?: number;
  /** How images are prepared where no file says it; CLIP's way when absent. */
  readonly prepared?: ImageProcessor;
}

/** Writes text, token by token. */
export interface Writer {
  readonly vocabSize: number;
  /** Most positions of `ids`. */
  readonly maxPositions: number;
  readonly width: number;
  /** What is kept between steps, by name: `B` counts rows, `C` the positions there is room for; others are of its inputs. */
  readonly state: Named<Shape>;
  /**
   * Hidden states after the final norm: `[B, T, D]`, or `[K, D]` of the flat `rows` asked for. `ids` are those that were read,
   * int32 `[B, T]`, where media fill slots with tokens.
   */
  hidden(
    p: Scope,
    x: Named<Value>,
    ask?: { readonly rows?: Value | undefined; readonly state?: DecoderState | undefined },
  ): { readonly hidden: Value; readonly state: Named<Value>; readonly ids?: Value | undefined };
  /** Logits `[.., V]`. */
  head(p: Scope, hidden: Value): Value;
  /** Where the linear layers of its language part are. */
  readonly linears: LinearPlaces;
  /** Set where it answers a source: what is asked is no part of `ids`. */
  readonly source?: SourceReader | undefined;
  /** Ids that are no part of a text, such as codes of images: they never come while one is written. */
  readonly unwritten?: readonly number[] | undefined;
}

/** Puts images and texts into one space. */
export interface Embedder {
  /** Most positions of `ids`. */
  readonly maxPositions: number;
  /** Unit vectors `[N, P]`, and the states of the tower's layers: `[N, 1 + patches, D]`, the class row first. */
  image(p: Scope, x: Named<Value>): { readonly vector: Value; readonly states: readonly Value[] };
  /** Unit vectors `[B, P]`. */
  text(p: Scope, x: Named<Value>): Value;
  /** `[]`: the logarithm of what similarities are multiplied by. */
  logitScale(p: Scope): Value;
}

/** A text that is held against images. */
export interface ComparedText {
  /** int32 `[B, T]`. */
  readonly ids: Value;
  /** int32 `[B]`: how many tokens of each count. */
  readonly lengths: Value;
}

/** Images as a model sees them without a text. */
export interface SeenImages {
  /** `[N, P, Dv]`: what is looked at once more beside a text. */
  readonly features: Value;
  /** `[N, Q, E]`, unit vectors: several of each image. */
  readonly vectors: Value;
  /** Keys and values `[N, Q, ..]` of each layer, for a text that is written about the image. */
  readonly kept: readonly KeyValue[];
}

/** Tells which images and texts belong together: by vectors made apart from each other, and by looking at both. */
export interface Matcher {
  /** Most tokens of a text. */
  readonly maxPositions: number;
  readonly vocabSize: number;
  /** The texts of a batch, and its images `[N, 3, H, W]`. */
  texts(x: Named<Value>): ComparedText;
  image(p: Scope, pixels: Value): SeenImages;
  /** Unit vectors `[B, E]`. */
  text(p: Scope, text: ComparedText): Value;
  /** Logits `[B, 2]` of no and yes: whether text b belongs to the image whose features `[B, P, Dv]` are b. */
  match(p: Scope, features: Value, text: ComparedText): Value;
  /** States `[K, D]` at flat rows of `ids`, text b being written about image b: it sees the image's queries and what is before. */
  written(p: Scope, kept: SeenImages['kept'], text: ComparedText, rows: Value): Value;
  /** Its table of words `[V, D]`. */
  words(p: Scope): Value;
}

/** Draws: some of its tokens are codes of an image. */
export interface Painter {
  /** The ids that are codes, in the order of the code book. */
  readonly codes: readonly number[];
  /** Codes of one image. */
  readonly perImage: number;
  /** The ids that stand before and behind the codes of an image, where some do: behind the first nothing but codes may come. */
  readonly around?: readonly [begin: number, end: number];
  /** Pixels `[N, 3, H, W]` from 0 to 1 of codes `[N, perImage]`, numbered as in `codes`. */
  paint(p: Scope, codes: Value): Value;
}

/** Turns images into rows of a code book, and such rows into images: what the training of an image tokenizer compares. */
export interface Quantizer {
  /** The path of its code book. */
  readonly book: string;
  /** The code book `[K, E]`. */
  codeBook(p: Scope): Value;
  /** Latents `[N*h*w, E]` in reading order, before they are quantised, of pixels `[N, 3, H, W]`. */
  latents(p: Scope, pixels: Value): { readonly rows: Value; readonly grid: CodeGrid };
  /** The nearest rows of the code book, int32 `[R]`, of latents `[R, E]`. */
  nearest(p: Scope, rows: Value): Value;
  /** Pixels `[N, 3, H, W]`, scaled as those that are read, of rows `[N*h*w, E]`. */
  restore(p: Scope, rows: Value, grid: CodeGrid): Value;
}

/** Images, and rows and columns of codes of each. */
export type CodeGrid = readonly [images: Dim, rows: number, columns: number];

/** What runs apart where a tool keeps words, images and the decoder in graphs of their own. */
export interface Pieces {
  readonly decoder: Decoder;
  /** Its place in the parameter tree. */
  readonly at: string;
  /** Rows `[N, P, D]` that take the places of an image's tokens, from pixels `[N, 3, H, W]`. */
  readonly imageRows?: (p: Scope, pixels: Value) => Value;
}

/** What a model may be able to do. */
export type Capability = 'writer' | 'embedder' | 'matcher' | 'painter' | 'quantizer';

export type WriterModel = Model & { readonly writer: Writer };

/** What the paths of a part of a model begin with. @throws TesseraError `model/no-part` */
export function partPrefix({ parts, architecture }: Model, part: string): string {
  const path = parts[part];
  if (path !== undefined) return path === '' ? '' : `${path}.`;
  throw new TesseraError({
    code: 'model/no-part',
    message: `the model has no ${part} part`,
    expected: Object.keys(parts).join(', '),
    got: architecture,
  });
}

/** Whether images may stand anywhere in what it reads, so that a prompt can show it examples. */
export function readsInterleaved({ writer, processor }: Model): boolean {
  const { plan, beside, front } = processor();
  return writer !== undefined && plan !== undefined && !beside && !front;
}

/** The most tokens that a model reads; without bound for one that reads no text. */
export function maxPositions({ writer, embedder, matcher }: Model): number {
  return (writer ?? embedder ?? matcher)?.maxPositions ?? Number.POSITIVE_INFINITY;
}
