import { backgrounds, colors, patterns, shapes, sizes } from '../attributes.ts';
import { captions } from '../language/captions.ts';
import { leftToRight } from '../language/phrase.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { imageName } from './coco.ts';
import { lines, stream, type WorldTaskRecord } from './writer.ts';

/** What lies in a box, whose edges are shares of the image: shape, colour, size and pattern as numbers from 1. */
const label = (box: readonly number[], indices: readonly number[]) => ({ box, classes: indices.map((i) => i + 1) });

function labelled({ width, height }: Scene, { bbox: [x1, y1, x2, y2], shape, color, size, pattern }: SceneObject) {
  const indices = [shapes.indexOf(shape), colors.indexOf(color), sizes.indexOf(size), patterns.indexOf(pattern)];
  return label([x1 / width, y1 / height, x2 / width, y2 / height], indices);
}

/** The table lies under all things, with a class of its own of each kind; its colour is what it is made of. */
function labelledTable({ background }: Scene) {
  const material = colors.length + backgrounds.indexOf(background);
  return label([0, 0, 1, 1], [shapes.length, material, sizes.length, patterns.length]);
}

export const labelledCaptionsTask = {
  describe: 'captions of the images, with what lies where in them',
  training: { file: 'labelled_captions.jsonl', format: 'labelled' },
  uses: [],
  write: (scenes, settings) => {
    const rows = scenes.flatMap((scene) => {
      const labels = [labelledTable(scene), ...leftToRight(scene).map((object) => labelled(scene, object))];
      const told = captions(scene, settings.captionsPerImage, stream(settings, 'captions', scene));
      return told.map((caption) => ({ image: imageName(scene), caption, labels }));
    });
    return { 'labelled_captions.jsonl': lines(rows) };
  },
} as const satisfies WorldTaskRecord;
