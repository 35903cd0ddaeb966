import { z } from 'zod';
import type { Answer } from '../../data/index.ts';
import { parseClaims } from '../../world/index.ts';
import type { ChairCounts } from '../metrics/chair.ts';
import { chairCounts, chairScores, wordCount } from '../metrics/chair.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { openPictures } from './pictures.ts';
import { collect, readJsonLines } from './rows.ts';
import type { Item, Metric, Span, Task, Verdict } from './task.ts';
import { firstPictures } from './task.ts';

/** Reads a text for the objects it says are there, repeats included; what it denies is no mention. */
export type TextReader = (text: string) => {
  readonly mentions: readonly { readonly shape?: string; readonly color?: string }[];
  /** A sentence without claims said nothing that could be read. */
  readonly sentences: readonly { readonly claims: readonly unknown[] }[];
};

export interface ChairSource {
  readonly pictures: string;
  /** Scene graphs, one JSON object a line: `{image_id, objects: [{shape, color, ...}]}`. */
  readonly scenes: string;
}

export interface ChairOptions {
  readonly prompt?: string;
  /** The tabletop world's grammar unless told. */
  readonly reader?: TextReader;
  /** 128 unless told. Longer captions hallucinate more, so results always state it. */
  readonly maxTokens?: number;
}

const scene = z.object({
  image_id: z.union([z.number(), z.string()]),
  image: z.string().optional(),
  objects: z.array(z.object({ shape: z.string(), color: z.string(), size: z.string().optional() })),
});

type Scene = z.infer<typeof scene>;

const metrics: readonly Metric[] = [
  metric('s', 'CHAIRs', 'share of captions that mention an object that is not there', 'low', true),
  metric('i', 'CHAIRi', 'share of object mentions that are of objects not there', 'low', true),
  metric('iDistinct', 'CHAIRi distinct', 'the same over the distinct objects of each caption', 'low'),
  metric('recall', 'recall', 'share of the objects there that are mentioned', 'high', true),
  { ...metric('length', 'length', 'mean words of a caption', 'neither', true), unit: 'words' },
  metric(
    'unread',
    'unread',
    'share of sentences that say nothing readable; above 0.05 the other numbers are shaky',
    'low',
  ),
];

function metric(name: string, label: string, describe: string, better: Metric['better'], headline = false): Metric {
  return { name, label, describe, unit: 'share', better, headline };
}

/**
 * CHAIR: what a description mentions that is not in the picture (Rohrbach et al. 2018). The group `all` takes an object
 * to be its shape; `with colour` takes shape and colour, over the mentions that give both.
 */
export function chairTask(
  source: ChairSource,
  { prompt = 'Describe the image in detail.', maxTokens = 128, reader = parseClaims }: ChairOptions = {},
): Task {
  return {
    name: 'chair',
    describe: 'Asks for a description and counts the objects in it that are not there',
    prompt,
    maxTokens,
    groups: ['all', 'with colour'],
    metrics,
    load: (limit) => loadScenes(source, prompt, reader, limit),
    score: (sum) => ({ ...chairScores(sum as ChairCounts), unread: share(sum.unread ?? 0, sum.sentences ?? 0) }),
  };
}

async function loadScenes(
  source: ChairSource,
  prompt: string,
  reader: TextReader,
  limit?: number,
): Promise<readonly Item[]> {
  const find = openPictures(source.pictures);
  const rows = collect(
    (await readJsonLines(source.scenes, scene)).map(({ value, where }) => {
      const picture = find(value.image ?? value.image_id, where);
      return typeof picture === 'string' ? { ok: { scene: value, picture } } : { faults: [picture] };
    }),
  );
  const items = rows.map(({ scene, picture }) => ({
    id: `${scene.image_id}`,
    picture,
    prompt,
    truth: inventory(scene),
    judge: ({ text }: Answer) => judge(text, scene, reader),
  }));
  return firstPictures(items, (item) => item.picture, limit);
}

function judge(answer: string, { objects }: Scene, reader: TextReader): Verdict {
  const { mentions, sentences } = reader(answer);
  const words = wordCount(answer);
  const shapes = new Set(objects.map((object) => object.shape));
  const paired = objects.map(({ color, shape }) => `${color} ${shape}`);
  const saidShapes = mentions.flatMap(({ shape }) => shape ?? []);
  const saidPairs = mentions.flatMap(({ color, shape }) => (color && shape ? `${color} ${shape}` : []));
  const unread = sentences.filter(({ claims }) => claims.length === 0).length;
  const readability: Tally = { sentences: sentences.length, unread };
  return {
    // Nothing invented is no merit of a caption that names nothing.
    correct: saidShapes.every((shape) => shapes.has(shape)) && (saidShapes.length > 0 || shapes.size === 0),
    read: mentions.map(({ color, shape }) => [color, shape].filter(Boolean).join(' ')).join(', '),
    tallies: {
      all: { ...chairCounts(saidShapes, shapes, words), ...readability },
      'with colour': { ...chairCounts(saidPairs, paired, words), ...readability },
    },
    invented: inventedWords(answer, shapes, reader),
  };
}

/** The words that name a shape which is not there, in the sentences that affirm it. */
function inventedWords(answer: string, shapes: ReadonlySet<string>, reader: TextReader): Span[] {
  return [...answer.matchAll(/[^.!?;\n]+/g)].flatMap((sentence) => {
    const absent = new Set(reader(sentence[0]).mentions.flatMap(({ shape }) => shape ?? []));
    for (const shape of shapes) absent.delete(shape);
    if (absent.size === 0) return [];
    const words = [...sentence[0].matchAll(/[a-z]+/gi)];
    return words
      .filter(([word]) => absent.has(reader(`a ${word}`).mentions[0]?.shape ?? ''))
      .map((word) => ({ start: sentence.index + word.index, end: sentence.index + word.index + word[0].length }));
  });
}

/** "2 red cube, blue ball" */
function inventory({ objects }: Scene): string {
  const counts = new Map<string, number>();
  for (const { size, color, shape } of objects) {
    const name = [size, color, shape].filter(Boolean).join(' ');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, n]) => (n > 1 ? `${n} × ${name}` : name)).join(', ');
}
