import type { Fault } from '../../base/index.ts';

/** A picture a row speaks of: an absolute path, or a `data:` URI. */
export interface ImageRef {
  readonly path: string;
}

export type Part =
  | { readonly type: 'text'; readonly text: string }
  /** `image` counts into the row's images. */
  | { readonly type: 'image'; readonly image: number };

export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly parts: readonly Part[];
}

/** One training example, whatever file it came from. */
export interface Row {
  readonly id: string;
  /** For messages: `train.json row 17`. */
  readonly where: string;
  readonly images: readonly ImageRef[];
  readonly turns: readonly Turn[];
}

/** What reading one record gives: its value, or why it was refused. */
export type Outcome<T> = { readonly kept: T } | { readonly refused: Fault };
