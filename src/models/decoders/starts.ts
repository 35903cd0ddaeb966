import { type Init, normal } from '../../nn/index.ts';

/** First weights of a decoder's matrices. */
export interface Starts {
  readonly embedding: Init;
  /** Of matrices that read the residual stream. */
  readonly inward: Init;
  /** Of matrices that write to it from `fanIn` numbers. */
  outward(fanIn: number): Init;
}

/**
 * First weights of a decoder that is trained from nothing. Matrices keep the variance of what they read, and the
 * embedding and the 2L layer outputs share the residual stream in equal parts, so that a narrow model tells tokens apart
 * from the first step; one deviation of 0.02 for all, made for widths in the thousands, leaves its attention flat.
 */
export function decoderStarts({ width, layers }: { readonly width: number; readonly layers: number }): Starts {
  return {
    embedding: normal(1 / Math.sqrt(2 * layers)),
    inward: normal(1 / Math.sqrt(width)),
    outward: (fanIn) => normal(1 / Math.sqrt(2 * layers * fanIn)),
  };
}
