import { backgrounds, colors, patterns, shapes, sizes } from './attributes.ts';
import { namesOf } from './language/lexicon.ts';
import { places, relations } from './predicates.ts';
import { splits } from './scene.ts';
import { worldTasks } from './tasks/options.ts';
import { heldOutColor, themes } from './themes.ts';

/** All that the tabletop world knows, as plain data for listings. */
export function describeWorld() {
  return {
    /** Each shape with the words that mean it; the first is the one the world itself uses. */
    shapes: Object.fromEntries(shapes.map((shape) => [shape, namesOf(shape)])),
    colors,
    sizes,
    patterns,
    backgrounds,
    places,
    relations,
    themes,
    /** Colour and shape pairs that only the split `compositional` shows. */
    heldOut: shapes.map((shape) => `${heldOutColor(shape)} ${shape}`),
    splits,
    tasks: worldTasks,
  };
}
