import { z } from 'zod';
import type { ChairCounts } from '../metrics/chair.ts';
import { chairCounts, chairScores, wordCount } from '../metrics/chair.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import { openPictures } from './pictures.ts';
import { collect, readJsonLines } from './rows.ts';
import type { Item, Metric, Span, Task, Verdict } from './task.ts';
import { firstPictures } from './task.ts';

/** An object that a text says is there. */
export interface Mention extends Span {
  readonly shape: string;
  readonly color?: string;
}

/** Reads a text for the objects it says are there, in order; what it denies is no mention. */
export interface MentionReader {
  mentions(text: string): readonly Mention[];
  /** Sentences of the text, and how many of them say nothing that could be read. */
  sentences(text: string): { readonly all: number; readonly unread: number };
}

export interface ChairSource {
  readonly pictures: string;
  /** Scene graphs, one JSON object a line: `{image_id, objects: [{shape, color, ...}]}`. */
  readonly scenes: string;
  readonly reader: MentionReader;
}

export interface ChairOptions {
  readonly prompt?: string;
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
  { prompt = 'Describe this image in detail.', maxTokens = 128 }: ChairOptions = {},
): Task {
  return {
    name: 'chair',
    describe: 'CHAIR: asks for a description and counts the objects in it that are not there',
    prompt,
    maxTokens,
    groups: ['all', 'with colour'],
    metrics,
    load: (limit) => loadScenes(source, prompt, limit),
    score: (sum) => ({ ...chairScores(sum as ChairCounts), unread: share(sum.unread ?? 0, sum.sentences ?? 0) }),
  };
}

async function loadScenes(source: ChairSource, prompt: string, limit?: number): Promise<readonly Item[]> {
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
    judge: (answer: string) => judge(answer, scene, source.reader),
  }));
  return firstPictures(items, (item) => item.picture, limit);
}

function judge(answer: string, { objects }: Scene, reader: MentionReader): Verdict {
  const mentions = reader.mentions(answer);
  const shapes = new Set(objects.map((object) => object.shape));
  const invented = mentions.filter((mention) => !shapes.has(mention.shape));
  return {
    correct: invented.length === 0,
    read: mentions.map(({ color, shape }) => (color ? `${color} ${shape}` : shape)).join(', '),
    tallies: {
      all: byShape(answer, mentions, shapes, reader),
      'with colour': byColour(answer, mentions, objects, reader),
    },
    invented: invented.map(({ start, end }) => ({ start, end })),
  };
}

function byShape(
  text: string,
  mentions: readonly Mention[],
  shapes: ReadonlySet<string>,
  reader: MentionReader,
): Tally {
  const said = mentions.map((mention) => mention.shape);
  return { ...chairCounts(said, shapes, wordCount(text)), ...readability(text, reader) };
}

function byColour(text: string, mentions: readonly Mention[], objects: Scene['objects'], reader: MentionReader): Tally {
  const said = mentions.filter((mention) => mention.color).map((mention) => `${mention.color} ${mention.shape}`);
  const there = objects.map((object) => `${object.color} ${object.shape}`);
  return { ...chairCounts(said, there, wordCount(text)), ...readability(text, reader) };
}

function readability(text: string, reader: MentionReader): Tally {
  const { all, unread } = reader.sentences(text);
  return { sentences: all, unread };
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
