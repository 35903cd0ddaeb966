import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';

const one = z.union([z.string(), z.object({ path: z.string() }), z.object({ url: z.string() })]);

/** Names of images: one or several, each as text or as an object with its path. */
export const imageNames = z.union([one, z.array(one)]).nullish();

type Names = z.infer<typeof imageNames>;

const nameOf = (name: z.infer<typeof one>) => (typeof name === 'string' ? name : 'path' in name ? name.path : name.url);

/**
 * The images that a record names under `image` or `images`.
 * @throws TesseraError `row/schema` when it does so under both
 */
export function namedImages(image: Names, images: Names, where: string): readonly string[] {
  if (image != null && images != null) {
    throw new TesseraError({
      code: 'row/schema',
      message: 'the row names its images twice',
      path: where,
      expected: 'image or images',
      got: 'both',
    });
  }
  const given = image ?? images ?? [];
  return (Array.isArray(given) ? given : [given]).map(nameOf);
}
