import { Random, raise } from '../../base/index.ts';
import { type Answer, type Row, readRows } from '../../data/index.ts';
import { parseClaims, recognise } from '../../world/index.ts';
import { derange } from '../derangement.ts';
import type { Tally } from '../metrics/tally.ts';
import { share } from '../metrics/tally.ts';
import type { ImageSource } from './images.ts';
import { firstImages, type Item, type Metric, type Task, type Verdict } from './task.ts';

export interface DrawingSource extends ImageSource {
  /** Conversations in any format whose first turn asks for an image, which the answer shows. */
  readonly requests: string;
}

const metric = (name: string, label: string, describe: string, better: Metric['better'] = 'high'): Metric => ({
  name,
  label,
  describe,
  unit: 'share',
  better,
  headline: true,
});

/** A thing by colour and shape: "red ball". */
type Name = string;

const groups = ['all', '1 thing', '2 things', 'more'] as const;
const groupOf = (things: number) => groups[Math.min(things, 3)] as string;

/** Drawn images, read by the recogniser of the tabletop world: whether the things that a prompt names are there. */
export function drawingTask(source: DrawingSource): Task {
  return {
    name: 'drawing',
    describe:
      'Asks for an image of things by colour and shape, and looks for them in what is drawn. Chance: the share of the things of ' +
      'another prompt that are there',
    prompt: '{request}',
    maxTokens: 0,
    draws: 'prompt',
    groups,
    metrics: [
      metric('right', 'drawn right', 'share of the things named that are there, in shape and colour'),
      metric('chance', 'chance', 'share of the things that another prompt names, in the same images', 'neither'),
      metric('whole', 'whole', 'share of images that show what is named and nothing else'),
    ],
    load: async (limit) => loadRequests(source, limit),
    score: ({ named = 0, right = 0, others = 0, lucky = 0, images = 0, whole = 0 }) => ({
      right: share(right, named),
      chance: share(lucky, others),
      whole: share(whole, images),
    }),
  };
}

function loadRequests(source: DrawingSource, limit?: number): Item[] {
  const requests = firstImages(rowsOf(source).map(requestOf), ({ image }) => image, limit);
  const places = [...requests.keys()];
  const other = places.length > 1 ? derange(places, new Random(0, 'drawing')) : new Map<number, number>();
  return requests.map(({ id, image, prompt, things }, i): Item => {
    const others = requests[other.get(i) ?? i]?.things ?? [];
    return { id, image, prompt, truth: things.join(', '), judge: (answer) => judgeDrawing(answer, things, others) };
  });
}

function rowsOf({ requests, images, coming = [] }: DrawingSource): readonly Row[] {
  const { rows, report } = readRows(requests, { images, imagesLater: coming.length > 0 });
  raise(report.reasons.flatMap(({ examples }) => examples));
  return rows;
}

/** What a row asks for, and the image that shows it. */
function requestOf({ id, media, turns }: Row) {
  const prompt = (turns.find(({ role }) => role === 'user')?.parts ?? [])
    .flatMap((part) => (part.type === 'text' ? [part.text] : []))
    .join('');
  const [shown] = media.flatMap((one) => (one.kind === 'image' ? [one.path] : []));
  const things = parseClaims(prompt).mentions.flatMap(({ of: { color, shape }, number }) =>
    Array<Name>(number).fill([color, shape].filter(Boolean).join(' ')),
  );
  return { id, image: shown ?? '', prompt, things };
}

function judgeDrawing({ images = [] }: Answer, things: readonly Name[], others: readonly Name[]): Verdict {
  const found = images[0] ? namesIn(images[0]) : [];
  const right = common(things, found);
  const correct = right === things.length && found.length === things.length;
  const counts: Tally = {
    named: things.length,
    right,
    others: others.length,
    lucky: common(others, found),
    images: 1,
    whole: Number(correct),
  };
  return { correct, read: found.join(', '), tallies: { all: counts, [groupOf(things.length)]: counts }, invented: [] };
}

/** The image tokenizer alone: images painted again from their codes. */
export function reconstructionTask(source: DrawingSource): Task {
  return {
    name: 'reconstruction',
    describe: 'Paints images again from their codes, and looks for the things of the originals in what is painted',
    prompt: '{image}',
    maxTokens: 0,
    draws: 'image',
    groups: ['all'],
    metrics: [
      metric(
        'kept',
        'kept',
        'share of the things recognised in the originals that are recognised again, in shape and colour',
      ),
    ],
    async load(limit) {
      const shown = [...new Set(rowsOf(source).map((row) => requestOf(row).image))].slice(0, limit);
      return shown.map((image, i) => ({
        id: `${i + 1}`,
        image,
        prompt: '',
        truth: 'the image itself',
        judge: judgePainted,
      }));
    },
    score: ({ there = 0, kept = 0 }) => ({ kept: share(kept, there) }),
  };
}

function judgePainted({ images = [] }: Answer): Verdict {
  const [before = [], after = []] = images.map(namesIn);
  const kept = common(before, after);
  return {
    correct: kept === before.length && after.length === before.length,
    read: `${after.join(', ') || 'nothing'}; in the original ${before.join(', ') || 'nothing'}`,
    tallies: { all: { there: before.length, kept } },
    invented: [],
  };
}

const namesIn = (image: Parameters<typeof recognise>[0]): Name[] =>
  recognise(image).map(({ color, shape }) => `${color} ${shape}`);

/** How many names two lists have in common, each as often as in both. */
function common(a: readonly Name[], b: readonly Name[]): number {
  const left = [...b];
  return a.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
}
