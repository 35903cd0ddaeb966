import type { RgbImage } from './image/index.ts';
import type { Box } from './row.ts';

/** What a model answers. */
export interface Answer {
  readonly text: string;
  /** In pixels of the first image that was shown; absent where the model spells no boxes. */
  readonly boxes?: readonly Box[];
  /** Images that the model drew; absent where it draws none. */
  readonly images?: readonly RgbImage[];
}
