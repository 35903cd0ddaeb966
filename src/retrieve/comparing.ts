import { type Named, TesseraError } from '../base/index.ts';
import type { ImageProcessor, Processor } from '../data/index.ts';
import { reshape, type Value } from '../graph/index.ts';
import type { Embedder, Matcher, Model } from '../models/index.ts';
import type { Scope } from '../nn/index.ts';

/** How a model compares images with texts, by whichever of its capabilities it has for that. */
export interface Comparing {
  /** Most tokens of a text. */
  readonly maxPositions: number;
  /** How texts without images become inputs. */
  readonly texts: Processor;
  /** Unit vectors `[N, Q, E]`, one or several of each image. */
  image(p: Scope, x: Named<Value>): Value;
  /** Unit vectors `[B, E]`. */
  text(p: Scope, x: Named<Value>): Value;
  /** Where it has a head that looks at an image and a text together. */
  readonly matching?: Matching;
}

interface Matching {
  /** What is looked at beside a text, `[N, P, D]`. */
  features(p: Scope, x: Named<Value>): Value;
  /** Logits `[B, 2]` of no and yes: whether text b belongs to the image whose features `[B, P, D]` are b. */
  match(p: Scope, features: Value, x: Named<Value>): Value;
}

/** @throws TesseraError `model/cannot` for a model that compares no images with texts, with `path` naming where it comes from */
export function comparingOf(model: Model, images: ImageProcessor | undefined, path: string): Comparing {
  if (model.matcher) return byMatcher(model.matcher);
  if (model.embedder) return byEmbedder(model.embedder, model.processor(images));
  throw new TesseraError({
    code: 'model/cannot',
    message: 'the model compares no images with texts',
    path,
    expected: 'a model that puts images and texts into one space, or that tells which belong together',
    got: model.architecture,
  });
}

function byEmbedder(embedder: Embedder, texts: Processor): Comparing {
  return {
    maxPositions: embedder.maxPositions,
    texts,
    image(p, x) {
      const { vector } = embedder.image(p, x);
      const [n, width] = vector.shape as [string, number];
      return p.build(() => reshape(vector, [n, 1, width]));
    },
    text: (p, x) => embedder.text(p, x),
  };
}

/** Texts by themselves: no places in front of them stand for an image. */
const plainTexts: Processor = {
  inputs: {
    ids: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'token ids of B texts of T tokens' },
    lengths: { dtype: 'int32', shape: ['B'], join: 'row', says: 'how many tokens each text has' },
  },
  row: ({ ids }) => ({ lengths: [ids.length] }),
};

function byMatcher(matcher: Matcher): Comparing {
  const read = ({ ids, lengths }: Named<Value>) => ({ ids, lengths }) as { ids: Value; lengths: Value };
  const seen = (p: Scope, { pixels }: Named<Value>) => matcher.image(p, pixels as Value);
  return {
    maxPositions: matcher.maxPositions,
    texts: plainTexts,
    image: (p, x) => seen(p, x).vectors,
    text: (p, x) => matcher.text(p, read(x)),
    matching: {
      features: (p, x) => seen(p, x).features,
      match: (p, features, x) => matcher.match(p, features, read(x)),
    },
  };
}
