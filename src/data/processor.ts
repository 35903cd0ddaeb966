import type { Named, Tensor } from '../base/index.ts';
import type { Segment } from './chat/index.ts';
import type { RgbImage, Size } from './image/index.ts';
import type { Input } from './input.ts';
import type { Box, Media } from './row.ts';

/** What one medium becomes, known from its size alone: no pixel is read. */
export interface MediaPlan {
  /** Stand in the place of its mark; none for a model that sees it from beside the text. */
  readonly ids: readonly number[];
  /** Which of those places the model fills, by the input of kind `slots` that lists them. */
  readonly slots: Named<readonly number[]>;
  /** The leading size of each tensor that `read` will give. */
  readonly sizes: Named<number>;
  /** Values of the inputs of kind `flat` and `index`; `images` are the medium's frames, one for a still image. */
  read(images: readonly RgbImage[]): Named<Tensor>;
}

/** How rows become the inputs of one model. */
export interface Processor {
  readonly inputs: Named<Input>;
  /** Absent where the model takes no media. `sizes` reads them from the files and is called only where they matter. */
  plan?(media: Media, sizes: () => readonly Size[]): MediaPlan;
  /** How the system spells boxes of an image in text; a row with boxes is refused where it does not. */
  readonly boxes?: BoxSpelling;
  /** True where media are seen from beside the text: no mark stands for them. */
  readonly beside?: boolean;
  /** True where media stand in front of the whole text, its opening ids included: no mark stands for them either. */
  readonly front?: boolean;
  /** True where the model writes media itself: their ids are learned where an answer shows one. */
  readonly draws?: boolean;
  /** The most media that a row may show, where there is a limit. */
  readonly most?: number;
  /** The padded inputs that a piece of the prompt goes to; `ids` for all of them unless told. */
  texts?(segment: Pick<Segment, 'supervised'>): readonly string[];
  /** Ids that padded inputs begin with; those of `ids` are the tokenizer's unless told. */
  readonly opens?: Named<readonly number[]>;
  /** What only a whole row tells, such as the last image before each token: lists by input, places counted within the row. */
  row?(sequence: Sequence): Named<readonly number[]>;
}

/** Boxes of an image as text, and back. */
export interface BoxSpelling {
  write(boxes: readonly Box[], of: Size): string;
  /** The boxes that a text holds, in its order. */
  read(text: string, of: Size): readonly Box[];
}

/** A medium's place in a sequence: the `tokens` ids from `start` on of one padded input. */
export interface MediaSpan {
  readonly media: Media;
  readonly input: string;
  readonly start: number;
  readonly tokens: number;
  readonly plan: MediaPlan;
}

/** One row as a model reads it. */
export interface Sequence {
  readonly ids: ArrayLike<number>;
  /** The other padded inputs. */
  readonly texts?: Named<ArrayLike<number>> | undefined;
  /** In reading order. */
  readonly media?:
    | readonly (Pick<MediaSpan, 'input' | 'start'> & { readonly plan: Pick<MediaPlan, 'slots' | 'sizes'> })[]
    | undefined;
}
