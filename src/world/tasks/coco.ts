import type { Scene } from '../scene.ts';

/** File name of a scene's picture, numbered as COCO does. */
export function imageName(scene: Scene): string {
  return `${`${scene.image_id}`.padStart(12, '0')}.png`;
}

/** A COCO captions file. */
export interface CocoCaptions {
  readonly images: readonly { id: number; file_name: string; width: number; height: number }[];
  readonly annotations: readonly { id: number; image_id: number; caption: string }[];
}

/** @param captionsOf the captions of each scene, in the same order */
export function cocoCaptions(scenes: readonly Scene[], captionsOf: readonly (readonly string[])[]): CocoCaptions {
  const pairs = scenes.flatMap((scene, i) =>
    (captionsOf[i] ?? []).map((caption) => [scene.image_id, caption] as const),
  );
  return {
    images: scenes.map((s) => ({ id: s.image_id, file_name: imageName(s), width: s.width, height: s.height })),
    annotations: pairs.map(([image_id, caption], id) => ({ id, image_id, caption })),
  };
}
