import type { Dim } from '../../base/index.ts';
import { add, concat, matmul, reshape, slice, transpose, type Value } from '../../graph/index.ts';
import { bicubicGrid, normal, type Scope, zerosInit } from '../../nn/index.ts';
import type { ConfigReader } from '../config.ts';

/** How a vision transformer cuts images into patches. */
export interface PatchGrid {
  readonly width: number;
  /** Side of the images that its positions were made for, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly initStd: number;
}

/** Longest side of a tower's images, in pixels and in patches. */
const largestImage = 2 ** 13;
const longestSide = 2 ** 8;

/** Reads the geometry of a tower's configuration. @param patch side of a patch where it is not said */
export function patchGridConfig(
  c: ConfigReader,
  patch: number,
): Pick<PatchGrid, 'imageSize' | 'patchSize' | 'channels'> {
  const imageSize = c.size('image_size', 224, largestImage);
  return {
    imageSize,
    patchSize: c.integer('patch_size', Math.ceil(imageSize / longestSide), imageSize, patch),
    channels: c.integer('num_channels', 3, 3, 3),
  };
}

/** Rows of the table of positions: one for the class row, then the patches. */
export function patchPositions({ imageSize, patchSize }: PatchGrid): number {
  return Math.floor(imageSize / patchSize) ** 2 + 1;
}

/** Patch embeddings `[N, P, D]` of pixels `[N, 3, H, W]`: the convolution as one matrix product, its stride being its kernel. */
export function linearPatches(p: Scope, c: PatchGrid, pixels: Value, bias = false): Value {
  const n = pixels.shape[0] as Dim;
  const size = c.patchSize;
  const [rows, columns] = cells(c, pixels);
  const cropped = slice(slice(pixels, 2, 0, rows * size), 3, 0, columns * size);
  const tiles = transpose(reshape(cropped, [n, c.channels, rows, size, columns, size]), [0, 2, 4, 1, 3, 5]);
  const kernel = p.param('weight', [c.width, c.channels, size, size], normal(c.initStd));
  const flat = [rows * columns, c.channels * size * size] as const;
  const patches = matmul(reshape(tiles, [n, ...flat]), reshape(kernel, [c.width, flat[1]]), { transB: true });
  return bias ? add(patches, p.param('bias', [c.width], zerosInit)) : patches;
}

/** The table of positions `[1 + P, D]` for the size of these pixels: where it is another, patches lie between those that were learned. */
export function placedPositions(table: Value, c: PatchGrid, pixels: Value): Value {
  const grid = Math.floor(c.imageSize / c.patchSize);
  const [rows, columns] = cells(c, pixels);
  if (rows === grid && columns === grid) return table;
  const patches = matmul(bicubicGrid(table.node.graph, grid, rows, columns), slice(table, 0, 1));
  return concat([slice(table, 0, 0, 1), patches], 0);
}

function cells({ patchSize }: PatchGrid, pixels: Value): [rows: number, columns: number] {
  const [, , h, w] = pixels.shape as [Dim, number, number, number];
  return [Math.floor(h / patchSize), Math.floor(w / patchSize)];
}
