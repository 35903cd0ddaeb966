import type { Dim, Named, Shape } from '../base/index.ts';

/**
 * One input of a model. A model has one table of them, by name; graph, batch, memory plan, generation, scoring and the
 * card of an ONNX export read it and nothing else. `B` counts rows, `T` the tokens of the longest `ids`; every other name
 * of a size is the model's own.
 */
export type Input = {
  readonly dtype: 'int32' | 'float32';
  readonly shape: Shape;
  /** What it is, for a person. */
  readonly says: string;
} & Join;

/** How the values that rows bring become one tensor. */
export type Join =
  /** `[B, T]`: one text a row, padded on the right to the longest. */
  | { readonly join: 'pad' }
  /** `[B, ..]`: one value a row. */
  | { readonly join: 'row' }
  /** `[N, ..]`: as many as the media of the rows bring, one after another. */
  | { readonly join: 'flat' }
  /** As `flat`, or one list a row: numbers that count along the axis `into`, moved on by what came before. */
  | { readonly join: 'index'; readonly into: Dim }
  /** Places in a padded input, as rows of its flattened grid. */
  | { readonly join: 'slots'; readonly of: string }
  /**
   * Brought where rows of one sample show the same media: what stands at each place, as places in the input `of`, which then
   * holds each once. Its leading size is called `each` there.
   */
  | { readonly join: 'shown'; readonly of: string; readonly each: string };

/** The shape of an input in a batch that brings these inputs. */
export function inputShape(inputs: Named<Input>, name: string, brought: ReadonlySet<string>): Shape {
  const { shape } = inputs[name] as Input;
  for (const [other, input] of Object.entries(inputs)) {
    if (input.join === 'shown' && input.of === name && brought.has(other)) return [input.each, ...shape.slice(1)];
  }
  return shape;
}
