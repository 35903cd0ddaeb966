import type { Named, Tensor } from '../../src/base/index.ts';
import { float32 } from '../../src/base/index.ts';
import { type Box, imageOf, type MediaPlan, type Processor, type RgbImage, type Size } from '../../src/data/index.ts';
import { add, gather, reshape, type Value } from '../../src/graph/index.ts';
import { decoderFromConfig } from '../../src/models/decoders/index.ts';
import type { ConfigJson, Model, SystemRecipe, Writer } from '../../src/models/index.ts';
import { neededInput } from '../../src/models/inputs.ts';
import { linear, normal, splice } from '../../src/nn/index.ts';

/**
 * A system that nobody published: images of any size become patches, a row of tokens for every row of patches with a mark
 * behind it. It points with boxes and draws images of four pixels.
 */

const SIDE = 8;
const NUMBERS = 3 * SIDE * SIDE;

/** What its `config.json` holds beside the model type. */
interface Config {
  readonly image_token_id: number;
  readonly line_token_id: number;
  readonly code_ids: readonly number[];
  readonly text_config: ConfigJson;
}

export const patchworkRecipe: SystemRecipe = {
  keys: {},
  needs: ['from'],
  does: ['writer', 'painter'],
  language: 'language',
  seesImages: true,
};

export function patchwork(json: ConfigJson, where?: string): Model {
  const c = json as unknown as Config;
  const decoder = decoderFromConfig(c.text_config, where);
  const writer: Writer = {
    vocabSize: decoder.vocabSize,
    width: decoder.width,
    maxPositions: decoder.maxPositions,
    state: decoder.state,
    linears: {
      blocks: decoder.linears.blocks.map((place) => `language.${place}`),
      head: `language.${decoder.linears.head}`,
    },
    hidden(p, x, ask) {
      const language = p.at('language');
      const words = decoder.embed(language, neededInput(x, 'ids'));
      const { patches, places, patchRows } = x;
      if (!patches || !places || !patchRows) return decoder.decode(language, words, ask);
      const seen = p.build(() =>
        add(
          linear(p.at('patches'), patches, decoder.width),
          linear(p.at('places'), places, decoder.width, { bias: false }),
        ),
      );
      return decoder.decode(
        language,
        p.build(() => splice(words, patchRows, seen)),
        ask,
      );
    },
    head: (p, hidden) => decoder.head(p.at('language'), hidden),
  };
  const paint = (p: Parameters<Writer['head']>[0], codes: Value) => {
    const palette = p.at('palette').param('weight', [c.code_ids.length, 3], normal(0.5));
    return reshape(gather(palette, reshape(codes, [-1])), [codes.shape[0] as number | string, 3, 2, 2]);
  };
  return {
    architecture: 'patchwork',
    json,
    layouts: [{ name: 'patchwork', rules: ['language.', 'patches.', 'places.', 'palette.'].map((at) => [at, at]) }],
    tied: {},
    parts: { language: 'language', vision: 'patches' },
    image: { width: 4 * SIDE, height: 4 * SIDE, tokenId: c.image_token_id },
    processor: () => processor(c),
    forward: (p, x) => {
      const { hidden } = writer.hidden(p, x);
      p.at('palette').param('weight', [c.code_ids.length, 3], normal(0.5));
      return { logits: writer.head(p, hidden) };
    },
    writer,
    painter: { codes: c.code_ids, perImage: 4, paint },
  };
}

/** Whole patches that cover an image. */
export function gridOf({ width, height }: Size): { readonly rows: number; readonly columns: number } {
  return { rows: Math.ceil(height / SIDE), columns: Math.ceil(width / SIDE) };
}

export function processor(c: Pick<Config, 'image_token_id' | 'line_token_id'>): Processor {
  return {
    inputs: {
      ids: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'token ids' },
      patches: { dtype: 'float32', shape: ['P', NUMBERS], join: 'flat', says: 'patches of all images, row by row' },
      places: { dtype: 'float32', shape: ['P', 2], join: 'flat', says: 'where each patch is in its image' },
      patchRows: { dtype: 'int32', shape: ['P'], join: 'slots', of: 'ids', says: 'where patches go in the text' },
    },
    plan(media, sizes): MediaPlan {
      imageOf(media);
      const grid = gridOf(sizes()[0] as Size);
      const line = [...Array<number>(grid.columns).fill(c.image_token_id), c.line_token_id];
      const ids = Array.from({ length: grid.rows }, () => line).flat();
      const slots = [...ids.keys()].filter((i) => ids[i] === c.image_token_id);
      const count = grid.rows * grid.columns;
      return {
        ids,
        slots: { patchRows: slots },
        sizes: { patches: count, places: count },
        read: ([image]) => cut(image as RgbImage),
      };
    },
    boxes: {
      write: (boxes, of) => boxes.map((box) => spell(box, of)).join(' '),
      read: (text, of) => readBoxes(text, of),
    },
  };
}

/** Patches of an image from 0 to 1, black where it ends, and their places from 0 to 1. */
function cut({ width, height, data }: RgbImage): Named<Tensor> {
  const { rows, columns } = gridOf({ width, height });
  const patches = new Float32Array(rows * columns * NUMBERS);
  const places = new Float32Array(rows * columns * 2);
  for (let r = 0; r < rows; r++)
    for (let q = 0; q < columns; q++) {
      const at = r * columns + q;
      places.set([r / rows, q / columns], 2 * at);
      for (let y = 0; y < SIDE && r * SIDE + y < height; y++)
        for (let x = 0; x < SIDE && q * SIDE + x < width; x++)
          for (let ch = 0; ch < 3; ch++) {
            const pixel = data[((r * SIDE + y) * width + q * SIDE + x) * 3 + ch] as number;
            patches[at * NUMBERS + (y * SIDE + x) * 3 + ch] = pixel / 255;
          }
    }
  return { patches: float32([rows * columns, NUMBERS], patches), places: float32([rows * columns, 2], places) };
}

/** Boxes in hundredths of the image. */
const spell = ([left, top, right, bottom]: Box, { width, height }: Size) =>
  `[${[left / width, top / height, right / width, bottom / height].map((n) => Math.round(100 * n)).join(',')}]`;

function readBoxes(text: string, { width, height }: Size): Box[] {
  return [...text.matchAll(/\[(\d+),(\d+),(\d+),(\d+)\]/g)].map(([, ...n]) => {
    const [l, t, r, b] = n.map((digits) => Number(digits) / 100) as [number, number, number, number];
    return [l * width, t * height, r * width, b * height];
  });
}
