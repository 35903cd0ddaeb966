import type { Graph, Value } from '../graph/index.ts';
import type { CausalInputs, ContrastiveInputs, PictureShape } from './catalog.ts';

type PictureSize = Pick<PictureShape, 'height' | 'width'>;

/** Declares `ids`, int32 `[B, T]`. */
export function tokenInput(graph: Graph): Value {
  return graph.input('ids', 'int32', ['B', 'T']);
}

/** Declares `pixels`, `[N, 3, H, W]`. */
export function pixelInput(graph: Graph, { height, width }: PictureSize, count = 'N'): Value {
  return graph.input('pixels', 'float32', [count, 3, height, width]);
}

/** Declares pictures between the tokens of a causal model. */
export function pictureInputs(
  graph: Graph,
  picture: Omit<PictureShape, 'tokenId'>,
): Required<Pick<CausalInputs, 'pixels' | 'imageRows'>> {
  return {
    pixels: pixelInput(graph, picture),
    imageRows: graph.input('imageRows', 'int32', [`${picture.rows}*N`]),
  };
}

/** Declares pictures and texts for a contrastive model, by default any number of each. */
export function pairInputs(graph: Graph, picture: PictureSize, pictures = 'N'): ContrastiveInputs {
  return {
    pixels: pixelInput(graph, picture, pictures),
    ids: tokenInput(graph),
    endRows: graph.input('endRows', 'int32', ['B']),
  };
}
