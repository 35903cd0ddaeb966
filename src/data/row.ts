import type { Fault, Named } from '../base/index.ts';

/** Left, top, right and bottom edge in pixels of the image as its file has it; pixel 0 reaches from 0 to 1. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

/** A part of an image that a row points at: a box, or a free form as the points of its outline. */
export type Region = { readonly box: Box } | { readonly outline: readonly (readonly [x: number, y: number])[] };

export interface ImageMedia {
  readonly kind: 'image';
  /** An absolute path, or a `data:` URI. */
  readonly path: string;
  /** The row that the image stands in, where its path is that of a copy; faults name it so. */
  readonly inside?: string | undefined;
  /** What is done to the image before it is prepared. */
  readonly change?: ImageChange | undefined;
}

export interface ImageChange {
  /** The part that is stretched to the image's size: left and top edge, width and height, in shares of the image's. */
  readonly crop: readonly [left: number, top: number, width: number, height: number];
}

/** What a row shows beside its words. */
export type Media =
  | ImageMedia
  /** Frames in the order of time, each as the path of an image. */
  | { readonly kind: 'video'; readonly frames: readonly string[] }
  /** `of` counts into the row's media and names an image. */
  | { readonly kind: 'region'; readonly of: number; readonly region: Region };

export type Part =
  | { readonly type: 'text'; readonly text: string }
  /** `media` counts into the row's media. */
  | { readonly type: 'media'; readonly media: number }
  /** Boxes of an image that the row shows; each system spells them in its own way. */
  | { readonly type: 'boxes'; readonly of: number; readonly boxes: readonly Box[] };

export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly parts: readonly Part[];
  /** False for words of the assistant that are shown and not learned. */
  readonly learned?: boolean | undefined;
}

/** What lies where in an image, as classes: a set of numbers from 1, each answering a question of its own. */
export interface LabelledBox {
  /** Left, top, right and bottom edge as shares of the image's width and height. */
  readonly box: Box;
  readonly classes: readonly number[];
}

/** One conversation, whatever file it came from. */
export interface Row {
  readonly id: string;
  /** For messages: `train.json row 17`. */
  readonly where: string;
  readonly media: readonly Media[];
  readonly turns: readonly Turn[];
  /** Parts of its last answer that stand against those of another view, in order: characters `start` up to `end`. */
  readonly phrases?: readonly (readonly [start: number, end: number])[] | undefined;
  /** What lies in its one image, in the order in which it is told; for objectives that learn it. */
  readonly labels?: readonly LabelledBox[] | undefined;
}

/** What an objective reads together: one row under `row`, or several, such as `chosen` and `rejected`. */
export interface Sample {
  readonly views: Named<Row>;
  /** How much a view counts, by its name; 1 when absent. */
  readonly weights?: Named<number> | undefined;
}

/** What reading one record gives: its value, or why it was refused. */
export type Outcome<T> = { readonly kept: T } | { readonly refused: Fault };
