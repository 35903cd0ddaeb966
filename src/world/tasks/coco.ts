import { altText, captions } from '../language/captions.ts';
import type { Scene } from '../scene.ts';
import { listText, stream, type WorldTaskRecord, type Written } from './writer.ts';

/** File name of a scene's image, numbered as COCO does. */
export function imageName(scene: Pick<Scene, 'image_id'>): string {
  return `${`${scene.image_id}`.padStart(12, '0')}.png`;
}

/** A COCO captions file. */
export interface CocoCaptions {
  readonly images: readonly { id: number; file_name: string; width: number; height: number }[];
  readonly annotations: readonly { id: number; image_id: number; caption: string }[];
}

/** @param captionsOf the captions of each scene, in the same order */
function cocoCaptions(scenes: readonly Scene[], captionsOf: readonly (readonly string[])[]): CocoCaptions {
  const pairs = scenes.flatMap((scene, i) =>
    (captionsOf[i] ?? []).map((caption) => [scene.image_id, caption] as const),
  );
  return {
    images: scenes.map((s) => ({ id: s.image_id, file_name: imageName(s), width: s.width, height: s.height })),
    annotations: pairs.map(([image_id, caption], id) => ({ id, image_id, caption })),
  };
}

export const captionsTask = {
  describe: 'captions of the images',
  training: { file: 'captions.json', format: 'coco-captions' },
  uses: [],
  write: (scenes, settings) => {
    const captionsOf = scenes.map((s) => captions(s, settings.captionsPerImage, stream(settings, 'captions', s)));
    return { 'captions.json': captionsFile(scenes, captionsOf) };
  },
} as const satisfies WorldTaskRecord;

export const altTextTask = {
  describe: 'short texts as the web has them, some of them wrong',
  training: { file: 'alt_text.json', format: 'coco-captions' },
  uses: [],
  write: (scenes, settings) => {
    const texts = scenes.map((s) => [altText(s, settings.altTextNoise, stream(settings, 'alt-text', s))]);
    return { 'alt_text.json': captionsFile(scenes, texts) };
  },
} as const satisfies WorldTaskRecord;

function captionsFile(scenes: readonly Scene[], captionsOf: readonly (readonly string[])[]): Written {
  const { images, annotations } = cocoCaptions(scenes, captionsOf);
  const text = `{"images":${listText(images)},\n"annotations":${listText(annotations)}}\n`;
  return { text, rows: annotations.length };
}
