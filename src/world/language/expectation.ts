import type { ShapeName } from '../attributes.ts';
import type { Scene } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { companions } from '../themes.ts';

/** Shapes that are not there but often keep the company of what is, each once for every shape that suggests it. */
export function expectedShapes(scene: Scene): ShapeName[] {
  const present = shapesOf(scene);
  return present.flatMap((shape) => companions(shape)).filter((shape) => !present.includes(shape));
}

/** How many of the shapes that are there suggest a shape that is not. */
export function suggestionsIn(scene: Scene): (shape: ShapeName) => number {
  const suggested = expectedShapes(scene);
  return (shape) => suggested.filter((other) => other === shape).length;
}

/** The shapes of these that most of what is there suggests: where all but one of a company are there, the one. */
export function mostExpected(scene: Scene): ShapeName[] {
  const suggested = new Set(expectedShapes(scene));
  const times = suggestionsIn(scene);
  const most = Math.max(...[...suggested].map(times));
  return [...suggested].filter((shape) => times(shape) === most);
}
