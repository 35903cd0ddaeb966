import { z } from 'zod';
import type { Answer } from '../../data/index.ts';
import type { Mention, ParsedText, Scene } from '../../world/index.ts';
import { claimTruth, parseClaims } from '../../world/index.ts';
import type { ChairCounts } from '../metrics/chair.ts';
import { chairCounts, chairScores, strictCounts, wordCount } from '../metrics/chair.ts';
import { type Attributes, nameObjects } from '../metrics/naming.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { type ImageSource, openImages } from './images.ts';
import { collect, readJsonLines } from './rows.ts';
import type { Item, Metric, Span, Task, Verdict } from './task.ts';
import { firstImages, shareMetric } from './task.ts';

export interface ChairSource extends ImageSource {
  /** Scene graphs, one JSON object a line: `{image_id, objects: [{shape, color, ...}]}`. */
  readonly scenes: string;
}

export interface ChairOptions {
  readonly prompt?: string;
  /** 128 unless told. Longer captions hallucinate more, so results always state it. */
  readonly maxTokens?: number;
}

const number = z.number();
const scene = z.object({
  image_id: z.union([number, z.string()]),
  image: z.string().optional(),
  width: number.optional(),
  height: number.optional(),
  background: z.string().optional(),
  objects: z
    .array(
      z.object({
        id: number.optional(),
        shape: z.string(),
        color: z.string(),
        size: z.string().optional(),
        pattern: z.string().optional(),
        bbox: z.tuple([number, number, number, number]).readonly().optional(),
      }),
    )
    .readonly(),
});

type SceneRecord = Readonly<z.infer<typeof scene>>;

const metrics: readonly Metric[] = [
  shareMetric('i', 'CHAIRi', 'share of the things named that are not there', 'low', true),
  shareMetric('s', 'CHAIRs', 'share of captions that name a thing that is not there', 'low', true),
  shareMetric(
    'response',
    'response rate',
    'share of the captions naming any object that name one that is not there',
    'low',
  ),
  shareMetric(
    'iDistinct',
    'CHAIRi distinct',
    'CHAIRi over the distinct objects of each caption, the mention rate',
    'low',
  ),
  shareMetric('recall', 'recall', 'share of the objects there that are mentioned', 'high', true),
  shareMetric('complete', 'complete', 'share of captions that name every object once and rightly', 'high', true),
  { ...shareMetric('length', 'length', 'mean words of a caption', 'neither', true), unit: 'words' },
  shareMetric(
    'unread',
    'unread',
    'share of sentences that say nothing readable; above 0.05 the other numbers are shaky',
    'low',
  ),
];

/**
 * CHAIR: what a description mentions that is not in the image (Rohrbach et al. 2018), in three ways. `strict` counts
 * thing by thing: each that is named needs an object of its own with the size, colour, pattern and shape that are said,
 * so a thing named more often than it is there counts as not there. `all` takes an object to be its shape, as published;
 * `with colour` takes shape and colour, over the mentions that give both. In these two a thing may be named any number of
 * times.
 */
export function chairTask(
  source: ChairSource,
  { prompt = 'Describe the image in detail.', maxTokens = 128 }: ChairOptions = {},
): Task {
  return {
    name: 'chair',
    describe:
      'Asks for a description and counts the objects in it that are not there. Strict: each thing named needs an object ' +
      'of its own, of that size, colour, pattern and shape; all: of that shape, named any number of times',
    prompt,
    maxTokens,
    groups: ['strict', 'all', 'with colour'],
    metrics,
    load: (limit) => loadScenes(source, prompt, limit),
    score: (sum) => ({ ...chairScores(sum as ChairCounts), unread: share(sum.unread ?? 0, sum.sentences ?? 0) }),
  };
}

async function loadScenes(source: ChairSource, prompt: string, limit?: number): Promise<readonly Item[]> {
  const find = openImages(source);
  const rows = collect(
    (await readJsonLines(source.scenes, scene)).map(({ value, where }) => {
      const image = find(value.image ?? value.image_id, where);
      return typeof image === 'string' ? { ok: { scene: value, image } } : { faults: [image] };
    }),
  );
  const items = rows.map(({ scene, image }) => ({
    id: `${scene.image_id}`,
    image,
    prompt,
    truth: inventory(scene),
    judge: ({ text }: Answer) => judgeDescription(text, scene),
  }));
  return firstImages(items, (item) => item.image, limit);
}

/** What a description of a scene came to: every claim of it that the record can tell is held against it. */
export function judgeDescription(answer: string, scene: SceneRecord): Verdict {
  const { objects } = scene;
  const { mentions, sentences } = parseClaims(answer);
  const words = wordCount(answer);
  const naming = nameObjects(mentions, objects);
  const unread = sentences.filter(({ claims }) => claims.length === 0).length;
  const readability: Tally = { sentences: sentences.length, unread };
  const shapes = objects.map(({ shape }) => shape);
  const pairs = objects.map(({ color, shape }) => `${color} ${shape}`);
  const saidShapes = mentions.flatMap(({ of }) => of.shape ?? []);
  const saidPairs = mentions.flatMap(({ of }) => (of.color && of.shape ? `${of.color} ${of.shape}` : []));
  const untrue = untrueParts(sentences, naming.amiss, scene);
  return {
    // Nothing false is no merit of a caption that names nothing.
    correct: untrue.length === 0 && (naming.named > 0 || objects.length === 0),
    covers: { named: naming.covered, of: objects.length },
    read: mentions.map(({ of, number }) => `${number > 1 ? `${number} × ` : ''}${nameOf(of)}`).join(', '),
    tallies: {
      strict: { ...strictCounts(naming, objects.length, words), ...readability },
      all: { ...chairCounts(saidShapes, shapes, words), ...readability },
      'with colour': { ...chairCounts(saidPairs, pairs, words), ...readability },
    },
    invented: untrue,
  };
}

/** What does not hold: phrases that no object is left for, and sentences that are false otherwise. */
function untrueParts(sentences: ParsedText['sentences'], amiss: readonly Mention[], scene: SceneRecord): Span[] {
  const whole = wholeScene(scene);
  return sentences.flatMap(({ start, end, claims }) => {
    const phrases = amiss.filter((phrase) => phrase.start >= start && phrase.end <= end);
    if (phrases.length > 0) return phrases.map((phrase) => ({ start: phrase.start, end: phrase.end }));
    return whole && claims.some((claim) => claimTruth(whole, claim) === false) ? [{ start, end }] : [];
  });
}

/** A record that tells all that claims can be held against: places, relations, numbers and the table. */
function wholeScene({ width, height, background, objects, ...rest }: SceneRecord): Scene | undefined {
  const all = [
    width,
    height,
    background,
    ...objects.flatMap(({ id, size, pattern, bbox }) => [id, size, pattern, bbox]),
  ];
  return all.includes(undefined) ? undefined : ({ ...rest, width, height, background, objects } as unknown as Scene);
}

/** "2 × small red cube, blue striped ball" */
function inventory({ objects }: SceneRecord): string {
  const counts = new Map<string, number>();
  for (const object of objects) counts.set(nameOf(object), (counts.get(nameOf(object)) ?? 0) + 1);
  return [...counts].map(([name, n]) => (n > 1 ? `${n} × ${name}` : name)).join(', ');
}

function nameOf({ size, color, pattern, shape }: Attributes): string {
  return [size, color, pattern === 'solid' ? undefined : pattern, shape].filter(Boolean).join(' ');
}
