import { type Fault, raise, type Tensor, TesseraError } from '../base/index.ts';
import { builtinTemplate, type Example, encodeRow, type Outcome } from '../data/index.ts';
import { comparingOf } from './comparing.ts';
import type { RetrieverParts } from './folder.ts';
import { chunks, imageReader } from './images.ts';
import { RetrievalProgram } from './program.ts';

/** How far a comparison is, and how it is stopped. */
export interface CompareOptions {
  readonly signal?: AbortSignal | undefined;
  /** @param what `images` are compared, or `pairs` are looked at together */
  readonly onProgress?: ((what: 'images' | 'pairs', done: number, total: number) => void) | undefined;
}

/** Cosines of images with texts. */
export interface Similarities {
  /** Image i with text t at `i * texts + t`; nothing is to be read of an image that could not be. */
  readonly values: Float32Array;
  /** Why images could not be read, by their places. */
  readonly unread: ReadonlyMap<number, Fault>;
}

/** An image and a text, by their places. */
export type Pair = readonly [image: number, text: number];

/** What a matching head says of a pair: the logit of yes, and the probability that the two belong together. */
export interface Match {
  readonly logit: number;
  readonly probability: number;
}

/** Compares images with texts. */
export interface Retriever {
  /** Whether it has a head that looks at an image and a text together. */
  readonly matches: boolean;
  /** Why the model cannot read texts, by their places; no others are to be asked about. */
  textFaults(texts: readonly string[]): ReadonlyMap<number, Fault>;
  /**
   * Each image with each text. An image that cannot be read takes nothing from the others.
   * @param images paths
   * @throws TesseraError the faults of texts that the model cannot read, all of them at once; the signal's reason
   */
  similarities(images: readonly string[], texts: readonly string[], options?: CompareOptions): Promise<Similarities>;
  /** Pairs of readable images with texts, looked at together, in the order of the pairs. Each image is read once. */
  match(
    images: readonly string[],
    texts: readonly string[],
    pairs: readonly Pair[],
    options?: CompareOptions,
  ): Promise<readonly Match[]>;
  close(): Promise<void>;
}

const imagesAtOnce = 32;
const textsAtOnce = 256;
const pairsAtOnce = 64;

/** @throws TesseraError `model/cannot` */
export function openRetriever(parts: RetrieverParts): Retriever {
  const comparing = comparingOf(parts.model, parts.processor, parts.model.architecture);
  const images = parts.model.processor(parts.processor);
  const program = new RetrievalProgram({ ...parts, comparing, images });
  const read = imageReader(images);
  const encode = textReader(parts, comparing.maxPositions);
  return {
    matches: comparing.matching !== undefined,
    textFaults: encode.faults,
    async similarities(paths, texts, { signal, onProgress } = {}) {
      const vectors = await textVectors(program, encode.examples(texts));
      const values = new Float32Array(paths.length * texts.length);
      const unread = new Map<number, Fault>();
      let done = 0;
      for await (const batch of read(paths, [...paths.keys()], imagesAtOnce)) {
        signal?.throwIfAborted();
        for (const { place, fault } of batch.unread) unread.set(place, fault);
        if (batch.places.length > 0) {
          const { data } = (await program.similarities(batch.feeds, vectors)) as Tensor<'float32'>;
          for (const [i, place] of batch.places.entries()) {
            values.set(data.subarray(i * texts.length, (i + 1) * texts.length), place * texts.length);
          }
        }
        done += batch.places.length + batch.unread.length;
        onProgress?.('images', done, paths.length);
      }
      return { values, unread };
    },
    async match(paths, texts, pairs, { signal, onProgress } = {}) {
      const examples = encode.examples(texts);
      const found: Match[] = new Array(pairs.length);
      const byImage = placesByImage(pairs);
      let done = 0;
      for await (const batch of read(paths, [...byImage.keys()], imagesAtOnce)) {
        raise(batch.unread.map(({ fault }) => fault));
        const features = await program.features(batch.feeds);
        const asked = batch.places.flatMap((place, at) => (byImage.get(place) ?? []).map((pair) => ({ pair, at })));
        for (const chunk of chunks(asked, pairsAtOnce)) {
          signal?.throwIfAborted();
          const read = chunk.map(({ pair }) => examples[(pairs[pair] as Pair)[1]] as Example);
          const logits = await program.match(
            features,
            chunk.map(({ at }) => at),
            read,
          );
          for (const [i, { pair }] of chunk.entries()) found[pair] = matchOf(logits as Tensor<'float32'>, i);
          done += chunk.length;
          onProgress?.('pairs', done, pairs.length);
        }
      }
      return found;
    },
    close: () => program.dispose(),
  };
}

/** The places of pairs, by their image. */
function placesByImage(pairs: readonly Pair[]): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const [i, [image]] of pairs.entries()) {
    const known = groups.get(image);
    if (known) known.push(i);
    else groups.set(image, [i]);
  }
  return groups;
}

function matchOf({ data }: Tensor<'float32'>, row: number): Match {
  const [no, yes] = [data[2 * row] as number, data[2 * row + 1] as number];
  return { logit: yes, probability: 1 / (1 + Math.exp(no - yes)) };
}

/** Texts as training reads them, by themselves and whole. */
function textReader({ tokenizer }: RetrieverParts, maxLength: number) {
  const settings = { tokenizer, template: builtinTemplate('text'), maxLength };
  const known = new Map<string, Outcome<Example>>();
  const one = (text: string, i: number): Outcome<Example> => {
    const turns = [{ role: 'assistant' as const, parts: [{ type: 'text' as const, text }] }];
    const outcome =
      known.get(text) ?? encodeRow({ id: `${i + 1}`, where: `text ${i + 1}`, media: [], turns }, settings);
    known.set(text, outcome);
    return outcome;
  };
  const faults = (texts: readonly string[]) =>
    new Map(
      texts.flatMap((text, i) => {
        const outcome = one(text, i);
        return 'refused' in outcome ? [[i, named(outcome.refused, i, text)] as const] : [];
      }),
    );
  const examples = (texts: readonly string[]): Example[] => {
    if (texts.length === 0) throw noTexts();
    raise([...faults(texts).values()]);
    return texts.map(one).flatMap((outcome) => ('kept' in outcome ? [outcome.kept] : []));
  };
  return { faults, examples };
}

/** A fault with the beginning of its text, by which it is found in a file. */
function named(fault: Fault, at: number, text: string): Fault {
  const beginning = text.length > 40 ? `${[...text].slice(0, 40).join('')}…` : text;
  const remedy = fault.code === 'row/too-long' ? { remedy: 'make the text shorter' } : {};
  return { ...fault, path: `text ${at + 1}: ${beginning}`, ...remedy };
}

function noTexts(): TesseraError {
  const message = 'there is no text to compare images with';
  return new TesseraError({ code: 'retrieve/no-texts', message, expected: 'one text or more', remedy: 'give a text' });
}

/** The vectors of all texts, `[M, E]`. */
async function textVectors(program: RetrievalProgram, examples: readonly Example[]): Promise<Tensor<'float32'>> {
  const parts: Tensor<'float32'>[] = [];
  for (const chunk of chunks(examples, textsAtOnce)) parts.push((await program.texts(chunk)) as Tensor<'float32'>);
  const width = parts[0]?.shape[1] as number;
  const data = new Float32Array(examples.length * width);
  for (const [i, part] of parts.entries()) data.set(part.data, i * textsAtOnce * width);
  return { dtype: 'float32', shape: [examples.length, width], data };
}
