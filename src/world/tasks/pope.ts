import type { Random } from '../../base/index.ts';
import { TesseraError } from '../../base/index.ts';
import { shapesOf } from '../scene.ts';
import { imageName } from './coco.ts';
import { lines, stream, type WorldTaskRecord } from './writer.ts';

/** An image and what is in it, distinct names in the order of the annotations. */
export interface PopeImage {
  readonly image: string;
  readonly objects: readonly string[];
}

/** How the absent objects are chosen. */
export const popeSplits = ['random', 'popular', 'adversarial'] as const;
export type PopeSplit = (typeof popeSplits)[number];

/** One line of a POPE question file. */
export interface PopeQuestion {
  readonly question_id: number;
  readonly image: string;
  readonly text: string;
  readonly label: 'yes' | 'no';
}

/** Objects asked about in each image: as many present as absent. */
const positives = 3;

/**
 * Images with at least three objects, `number` of them at random, or all when there are fewer. Those that too few other
 * objects are absent from are left out, so a handful of images may leave none.
 */
export function selectPopeImages(images: readonly PopeImage[], number: number, random: Random): PopeImage[] {
  const full = images.filter((image) => new Set(image.objects).size >= positives);
  return withAbsences(random.shuffle(full).slice(0, number));
}

/** The images from which three of the objects that the others show are absent; an image less may show an object less. */
function withAbsences(images: PopeImage[]): PopeImage[] {
  const known = new Set(images.flatMap(({ objects }) => objects));
  const kept = images.filter(({ objects }) => known.size - new Set(objects).size >= positives);
  return kept.length === images.length ? kept : withAbsences(kept);
}

/**
 * POPE's questions (arXiv:2305.10355) in the order yes, no, yes, no, yes, no for every image. Frequencies and
 * co-occurrence are counted over the images given.
 * @throws TesseraError `pope/too-few-objects`, or `pope/no-negative` when every known object is in the image or used
 * @example popeQuestions([{ image: '1.png', objects: ['ball', 'cup', 'ring'] }, ...], 'popular', new Random(0))
 */
export function popeQuestions(images: readonly PopeImage[], split: PopeSplit, random: Random): PopeQuestion[] {
  const statistics = new Statistics(images);
  const questions: PopeQuestion[] = [];
  const ask = (image: string, object: string, label: 'yes' | 'no'): void => {
    questions.push({ question_id: questions.length + 1, image, text: popeText(object), label });
  };
  for (const { image, objects } of images) {
    const present = new Set(objects);
    if (present.size < positives) throw tooFew(image, present);
    const history = new Set<string>();
    for (const positive of [...present].slice(0, positives)) {
      ask(image, positive, 'yes');
      history.add(positive);
      const admissible = (object: string): boolean => !present.has(object) && !history.has(object);
      const negative = chooseNegative(statistics, split, positive, admissible, random);
      if (negative === undefined) throw noNegative(image, statistics.vocabulary);
      ask(image, negative, 'no');
      history.add(negative);
    }
  }
  return questions;
}

/** POPE's only wording. */
export function popeText(object: string): string {
  return `Is there ${/^[aeiou]/i.test(object) ? 'an' : 'a'} ${object} in the image?`;
}

function chooseNegative(
  statistics: Statistics,
  split: PopeSplit,
  positive: string,
  admissible: (object: string) => boolean,
  random: Random,
): string | undefined {
  const anyOf = (): string | undefined => {
    const left = statistics.vocabulary.filter(admissible);
    return left.length > 0 ? random.pick(left) : undefined;
  };
  if (split === 'random') return anyOf();
  if (split === 'popular') return statistics.popular.find(admissible);
  return statistics.company(positive).find(admissible) ?? anyOf();
}

/** How often objects appear, alone and together; Maps keep the order of first appearance, which breaks ties. */
class Statistics {
  readonly vocabulary: readonly string[];
  readonly popular: readonly string[];
  readonly #together = new Map<string, Map<string, number>>();

  constructor(images: readonly PopeImage[]) {
    const frequency = new Map<string, number>();
    for (const image of images) {
      const objects = [...new Set(image.objects)];
      for (const object of objects) {
        add(frequency, object);
        const company = this.#together.get(object) ?? new Map<string, number>();
        this.#together.set(object, company);
        for (const other of objects) if (other !== object) add(company, other);
      }
    }
    this.vocabulary = [...frequency.keys()];
    this.popular = byNumber(frequency);
  }

  /** Objects by how often they appear with this one. */
  company(object: string): string[] {
    return byNumber(this.#together.get(object) ?? new Map());
  }
}

function add(numbers: Map<string, number>, key: string): void {
  numbers.set(key, (numbers.get(key) ?? 0) + 1);
}

function byNumber(numbers: ReadonlyMap<string, number>): string[] {
  return [...numbers].sort(([, a], [, b]) => b - a).map(([key]) => key);
}

function tooFew(image: string, present: ReadonlySet<string>): TesseraError {
  return new TesseraError({
    code: 'pope/too-few-objects',
    message: 'the image has too few objects to ask about',
    path: image,
    expected: `at least ${positives} different objects`,
    got: [...present].join(', ') || 'none',
    remedy: 'leave out such images with selectPopeImages',
  });
}

function noNegative(image: string, vocabulary: readonly string[]): TesseraError {
  return new TesseraError({
    code: 'pope/no-negative',
    message: 'no absent object is left to ask about',
    path: image,
    expected: `a vocabulary with ${positives} objects beyond those of the image`,
    got: vocabulary.join(', '),
    remedy: 'give more images, or images with more kinds of objects',
  });
}

export const popeTask = {
  describe: 'questions after objects that are there and objects that are not, for evaluation',
  uses: [],
  write: (scenes, settings) => {
    const random = stream(settings, 'pope', 'all');
    const images = scenes.map((scene) => ({ image: imageName(scene), objects: shapesOf(scene) }));
    const selected = selectPopeImages(images, settings.popeImages, random);
    return Object.fromEntries(
      popeSplits.map((split) => [`pope_${split}.jsonl`, lines(popeQuestions(selected, split, random))]),
    );
  },
} as const satisfies WorldTaskRecord;
