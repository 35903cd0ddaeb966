import { TesseraError } from '../base/index.ts';
import type { Responder } from './asking.ts';
import type { Item, NearestShots, Shot } from './tasks/task.ts';

const isNearest = (shots: Item['shots']): shots is NearestShots => shots !== undefined && 'among' in shots;

/** The images of an item's shots, or of those that are chosen from. */
export function shotImages({ shots }: Item): string[] {
  return (isNearest(shots) ? shots.among : (shots ?? [])).map(({ image }) => image);
}

/** Chooses the shots of items by the image that is shown; vectors of images are asked for once. */
export function shotChooser(responder: Responder, items: readonly Item[], signal: AbortSignal | undefined) {
  const choosing = items.filter(({ shots }) => isNearest(shots));
  let vectors: Promise<ReadonlyMap<string, Float32Array>> | undefined;
  const vectorsOf = () => {
    const images = new Set(choosing.flatMap((item) => [item.image, ...shotImages(item)]));
    return responder.vectors?.([...images], signal) ?? cannotLook(responder.name);
  };
  return async (item: Item, shown: string): Promise<readonly Shot[] | undefined> => {
    const { shots } = item;
    if (!isNearest(shots)) return shots;
    vectors ??= vectorsOf();
    return nearest(shots, shown, await vectors, item.image);
  };
}

/**
 * The shots whose images are most like one, the most like last; of like ones the first of the list comes nearer.
 * @param own the image that the question is about, of which no shot is, nor of the one that is shown
 */
export function nearest(
  { among, count }: NearestShots,
  image: string,
  vectors: ReadonlyMap<string, Float32Array>,
  own: string,
): readonly Shot[] {
  const shown = vectors.get(image) as Float32Array;
  const likeness = among.map((shot) => {
    const other = vectors.get(shot.image) as Float32Array;
    return shown.reduce((sum, x, i) => sum + x * (other[i] as number), 0);
  });
  const others = [...among.keys()].filter((at) => ![image, own].includes((among[at] as Shot).image));
  const order = others.sort((a, b) => (likeness[b] as number) - (likeness[a] as number) || a - b);
  return order
    .slice(0, count)
    .reverse()
    .map((at) => among[at] as Shot);
}

function cannotLook(name: string): never {
  throw new TesseraError({
    code: 'eval/responder',
    message: 'the responder has no vectors of images to choose shots by',
    path: name,
    expected: 'one that looks at images',
  });
}
