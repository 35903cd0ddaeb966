import type { Background, Color, Pattern, ShapeName, Size } from './attributes.ts';
import type { Scene, SceneObject } from './scene.ts';

/** What a noun phrase says of an object; a missing shape stands for "object". */
export interface Description {
  readonly shape?: ShapeName;
  /** Free text may give an object a colour that only tables have; no object matches it. */
  readonly color?: Color | Background;
  readonly size?: Size;
  readonly pattern?: Pattern;
}

/** `undefined` lies inside a margin: never asked about, never counted as false. */
export type Truth = boolean | undefined;

export const relations = ['left of', 'right of', 'above', 'below', 'larger than', 'smaller than'] as const;
export type Relation = (typeof relations)[number];

export const places = ['left', 'right', 'top', 'bottom', 'middle'] as const;
export type Place = (typeof places)[number];

const margin = 0.05;
const largerRatio = 1.3;

export function matches(object: SceneObject, description: Description): boolean {
  return (Object.keys(description) as (keyof Description)[]).every((key) => object[key] === description[key]);
}

export function select(scene: Scene, description: Description): SceneObject[] {
  return scene.objects.filter((object) => matches(object, description));
}

export function exists(scene: Scene, description: Description): boolean {
  return scene.objects.some((object) => matches(object, description));
}

export function count(scene: Scene, description: Description): number {
  return select(scene, description).length;
}

/** Doubled centre coordinates, so that they stay whole numbers. */
const centre2 = ({ bbox }: SceneObject, axis: 0 | 1): number => bbox[axis] + bbox[axis === 0 ? 2 : 3];

/** True when a's centre comes before b's along an axis by more than the margin, undefined within it. */
function before(scene: Scene, a: SceneObject, b: SceneObject, axis: 0 | 1): Truth {
  const gap = centre2(b, axis) - centre2(a, axis);
  const limit = 2 * margin * (axis === 0 ? scene.width : scene.height);
  return gap > limit ? true : gap < -limit ? false : undefined;
}

export function leftOf(scene: Scene, a: SceneObject, b: SceneObject): Truth {
  return before(scene, a, b, 0);
}

export function above(scene: Scene, a: SceneObject, b: SceneObject): Truth {
  return before(scene, a, b, 1);
}

const area = ({ bbox }: SceneObject): number => (bbox[2] - bbox[0]) * (bbox[3] - bbox[1]);

export function larger(a: SceneObject, b: SceneObject): Truth {
  const ratio = area(a) / area(b);
  return ratio > largerRatio ? true : ratio < 1 / largerRatio ? false : undefined;
}

/** Whether the relation holds between two objects. */
function related(scene: Scene, relation: Relation, a: SceneObject, b: SceneObject): Truth {
  switch (relation) {
    case 'left of':
      return leftOf(scene, a, b);
    case 'right of':
      return leftOf(scene, b, a);
    case 'above':
      return above(scene, a, b);
    case 'below':
      return above(scene, b, a);
    case 'larger than':
      return larger(a, b);
    case 'smaller than':
      return larger(b, a);
  }
}

/** Below 2/5 of the side is near the start, above 1/2 is surely not; the middle has the same kind of margin. */
const nearStart = (x: number): Truth => (x < 0.4 ? true : x > 0.5 ? false : undefined);
const nearMiddle = (x: number): Truth => {
  const off = Math.abs(x - 0.5);
  return off < 0.1 ? true : off > 0.18 ? false : undefined;
};

/** Whether an object lies in a part of the image. */
export function inPlace(scene: Scene, object: SceneObject, place: Place): Truth {
  const x = centre2(object, 0) / (2 * scene.width);
  const y = centre2(object, 1) / (2 * scene.height);
  switch (place) {
    case 'left':
      return nearStart(x);
    case 'right':
      return nearStart(1 - x);
    case 'top':
      return nearStart(y);
    case 'bottom':
      return nearStart(1 - y);
    case 'middle':
      return both(nearMiddle(x), nearMiddle(y));
  }
}

const both = (a: Truth, b: Truth): Truth => (a === false || b === false ? false : a && b);

/** True if any is true, else undefined if any is undefined, else false: the rule for ambiguous references. */
export function anyTrue(truths: readonly Truth[]): Truth {
  return truths.includes(true) ? true : truths.includes(undefined) ? undefined : false;
}

/** Whether some pair of different objects that fit the descriptions stands in the relation. */
export function someRelated(scene: Scene, relation: Relation, a: Description, b: Description): Truth {
  const pairs = select(scene, a).flatMap((x) => select(scene, b).map((y) => [x, y] as const));
  return anyTrue(pairs.filter(([x, y]) => x.id !== y.id).map(([x, y]) => related(scene, relation, x, y)));
}

/** Whether some object that fits the description lies in the place. */
export function someInPlace(scene: Scene, description: Description, place: Place): Truth {
  return anyTrue(select(scene, description).map((object) => inPlace(scene, object, place)));
}
