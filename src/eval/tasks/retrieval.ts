import { basename } from 'node:path';
import { raise } from '../../base/index.ts';
import { readRows } from '../../data/index.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import type { ImageSource } from './images.ts';
import type { Metric, Pool, PoolRanking, SearchItem, SearchTask, Verdict } from './task.ts';

export interface RetrievalSource extends ImageSource {
  /** Captions in COCO's layout. */
  readonly captions: string;
}

const depths = [1, 5, 10] as const;

const recall = (k: number, again: boolean): Metric => ({
  name: `${again ? 'rematched' : 'contrast'}${k}`,
  label: `R@${k} ${again ? 're-ranked' : 'contrast'}`,
  describe: `share of searches that find what belongs to them among the first ${k}, ${again ? 'as the matching head ranks them' : 'by contrast alone'}`,
  unit: 'share',
  better: 'high',
  headline: true,
});

const gain: Metric = {
  name: 'gain',
  label: 'R@1 gained',
  describe: 'R@1 as the matching head ranks, less R@1 by contrast alone, over the same searches',
  unit: 'share',
  better: 'high',
  headline: true,
};

/**
 * Image-text retrieval with the captions of a pool of images, as on COCO and Flickr30K (Karpathy and Fei-Fei 2015): an image
 * for each caption, and a caption for each image. A caption that several images have belongs to all of them.
 */
export function retrievalTask(source: RetrievalSource): SearchTask {
  return {
    name: 'retrieval',
    describe:
      'Finds the image of each caption among all images, and a caption of each image among all captions: by contrast, and ' +
      'ranked again by a matching head where the model has one',
    groups: ['text to image', 'image to text'],
    metrics: [...depths.flatMap((k) => [recall(k, true), recall(k, false)]), gain],
    pool: async (limit) => openPool(source, limit),
    score: (sum) => {
      const of = (name: string) => share(sum[name] ?? 0, sum.asked ?? 0);
      const both = 'rematched1' in sum ? ['rematched', 'contrast'] : ['contrast'];
      const recalls = both.flatMap((order) => depths.map((k) => [`${order}${k}`, of(`${order}${k}`)]));
      return { ...Object.fromEntries(recalls), ...(both.length > 1 && { gain: of('rematched1') - of('contrast1') }) };
    },
  };
}

function openPool({ images, captions, coming = [] }: RetrievalSource, limit?: number) {
  const imagesLater = coming.length > 0;
  const { rows, report } = readRows(captions, { format: 'coco-captions', images, imagesLater });
  raise(report.reasons.flatMap(({ examples }) => examples));
  const textsOf = new Map<string, Set<string>>();
  for (const { media, turns } of rows) {
    const [shown] = media.flatMap((one) => (one.kind === 'image' ? [one.path] : []));
    const text = turns
      .flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])))
      .join('');
    if (shown === undefined || (!textsOf.has(shown) && textsOf.size === limit)) continue;
    textsOf.set(shown, (textsOf.get(shown) ?? new Set()).add(text));
  }
  const imagesOf = new Map<string, string[]>();
  for (const [image, texts] of textsOf)
    for (const text of texts) imagesOf.set(text, [...(imagesOf.get(text) ?? []), image]);
  const pool: Pool = { images: [...textsOf.keys()], texts: [...imagesOf.keys()] };
  return { pool, items: [...textItems(pool, imagesOf), ...imageItems(pool, textsOf)] };
}

function textItems({ images, texts }: Pool, imagesOf: ReadonlyMap<string, readonly string[]>): SearchItem[] {
  const placeOf = new Map(images.map((image, place) => [image, place]));
  return texts.map((text, i) => {
    const own = imagesOf.get(text) as readonly string[];
    const places = new Set(own.map((image) => placeOf.get(image) as number));
    return {
      id: `text/${i + 1}`,
      image: own[0] as string,
      prompt: `Which image? ${text}`,
      truth: own.map((image) => basename(image)).join(', '),
      by: { text: i },
      judge: (ranking) => judge('text to image', ranking, places, (place) => basename(images[place] as string)),
    };
  });
}

function imageItems({ images, texts }: Pool, textsOf: ReadonlyMap<string, ReadonlySet<string>>): SearchItem[] {
  const placeOf = new Map(texts.map((text, place) => [text, place]));
  return images.map((image, i) => {
    const own = [...(textsOf.get(image) as ReadonlySet<string>)];
    const places = new Set(own.map((text) => placeOf.get(text) as number));
    return {
      id: `image/${i + 1}`,
      image,
      prompt: 'Which caption?',
      truth: own.join(' / '),
      by: { image: i },
      judge: (ranking) => judge('image to text', ranking, places, (place) => texts[place] as string),
    };
  });
}

function judge(
  group: string,
  { contrast, rematched }: PoolRanking,
  own: ReadonlySet<number>,
  nameOf: (place: number) => string,
): Verdict {
  const hits = (order: string, list: readonly number[]): [string, number][] =>
    depths.map((k) => [`${order}${k}`, Number(list.slice(0, k).some((place) => own.has(place)))]);
  const [first] = rematched ?? contrast;
  const tally: Tally = {
    asked: 1,
    ...Object.fromEntries(hits('contrast', contrast)),
    ...(rematched && Object.fromEntries(hits('rematched', rematched))),
  };
  return {
    correct: first !== undefined && own.has(first),
    read: first === undefined ? '' : nameOf(first),
    tallies: { [group]: tally },
    invented: [],
  };
}
