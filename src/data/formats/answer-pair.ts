import { z } from 'zod';
import type { Sample } from '../row.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageNames, namedImages } from './names.ts';
import { type Exchange, exchangeRow } from './question.ts';

/** A question with the answer that is preferred and the other one. */
interface AnswerPair extends Omit<Exchange, 'answer'> {
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * The views `chosen` and `rejected`; images without a marker are shown in front of the question.
 * @throws TesseraError those of the images and turns
 */
export function answerPair({ chosen, rejected, ...asked }: AnswerPair, folder: ImageFolder): Sample {
  const view = (answer: string) => exchangeRow({ ...asked, answer }, folder);
  return { views: { chosen: view(chosen), rejected: view(rejected) } };
}

/** The image of a row as data sets of pairs have it: in the row or by name, or else by the path that it had. */
export const pairImage = { image: imageNames, image_path: z.string().nullish(), img_path: z.string().nullish() };

/** The names of that image. @throws TesseraError `row/schema` */
export function pairImageNames(
  {
    image,
    image_path,
    img_path,
  }: {
    image?: z.infer<typeof imageNames>;
    image_path?: string | null | undefined;
    img_path?: string | null | undefined;
  },
  where: string,
): readonly string[] {
  return namedImages(image || image_path || img_path || null, null, where);
}
