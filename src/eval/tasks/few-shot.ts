import { Random, raise, TesseraError } from '../../base/index.ts';
import { type Row, readRows } from '../../data/index.ts';
import { derange } from '../derangement.ts';
import { share } from '../metrics/tally.ts';
import { normaliseAnswer } from '../metrics/vqa.ts';
import type { ImageSource } from './images.ts';
import { type Benchmark, type Curves, firstImages, type Item, type Shot, type Task, type Verdict } from './task.ts';

/** How many shots are shown, and of which kinds they are. */
const counts = [2, 4, 8] as const;

export interface ShotOptions {
  /** Whether shots are also chosen by the likeness of their images; not unless told. */
  readonly nearest?: boolean;
}

const names = { random: 'random', nearest: 'similar', shuffled: 'shuffled labels' } as const;
const groupOf = (count: number, kind: keyof typeof names) => `${count} ${names[kind]}`;
const none = '0 shots';

/** What few-shot tasks have in common: accuracy over the number of shots, one curve a way to choose them. */
function shotBenchmark({ nearest = false }: ShotOptions): Pick<Benchmark, 'groups' | 'metrics' | 'curves' | 'score'> {
  const kinds = (['random', 'nearest', 'shuffled'] as const).filter((kind) => nearest || kind !== 'nearest');
  const curves: Curves = {
    metric: 'accuracy',
    over: 'shots',
    series: kinds.map((kind) => ({
      name: names[kind],
      points: [{ at: 0, group: none }, ...counts.map((count) => ({ at: count, group: groupOf(count, kind) }))],
    })),
  };
  return {
    groups: [none, ...counts.flatMap((count) => kinds.map((kind) => groupOf(count, kind)))],
    metrics: [
      {
        name: 'accuracy',
        label: 'accuracy',
        describe: 'share of questions answered rightly; with ten answers, as VQA counts',
        unit: 'share',
        better: 'high',
        headline: true,
      },
    ],
    curves,
    score: (sum) => ({ accuracy: share(sum.score ?? 0, sum.asked ?? 0) }),
  };
}

/**
 * A question once without shots, and with 2, 4 and 8: drawn at random, chosen by the likeness of their images where that is
 * known (RICES, Alayrac et al. 2022, section 3.2 and appendix), and drawn with each label at another shot (Min et al. 2022).
 */
function withShots(
  item: Item,
  { drawn, support }: { readonly drawn: readonly Shot[]; readonly support: readonly Shot[] },
  { nearest = false }: ShotOptions,
): Item[] {
  const under = (group: string, shots?: Item['shots']): Item => ({
    ...item,
    id: `${group}/${item.id}`,
    ...(shots && { shots }),
    judge: (answer) => regrouped(item.judge(answer), group),
  });
  const shown = counts.flatMap((count) => {
    const random = drawn.slice(-count);
    const shuffled = withOtherLabels(random, new Random(0, 'labels', item.id, count));
    return [
      under(groupOf(count, 'random'), random),
      ...(nearest ? [under(groupOf(count, 'nearest'), { among: support, count })] : []),
      under(groupOf(count, 'shuffled'), shuffled),
    ];
  });
  return [under(none), ...shown];
}

/** The shots, each with the answer of another. */
function withOtherLabels(shots: readonly Shot[], random: Random): Shot[] {
  if (shots.length < 2) return [...shots];
  const other = derange([...shots.keys()], random);
  return shots.map((shot, i) => ({ ...shot, answer: (shots[other.get(i) as number] as Shot).answer }));
}

function regrouped(verdict: Verdict, group: string): Verdict {
  const [tally] = Object.values(verdict.tallies);
  return { ...verdict, tallies: tally ? { [group]: tally } : {} };
}

/** Eight of a list at random, about an image each, and none about that of the question. */
function draw(support: readonly Shot[], { id, image }: Item): Shot[] {
  const chosen = new Map<string, Shot>();
  for (const shot of new Random(0, 'shots', id).shuffle(support)) {
    if (chosen.size === Math.max(...counts)) break;
    if (shot.image !== image && !chosen.has(shot.image)) chosen.set(shot.image, shot);
  }
  return [...chosen.values()];
}

/** Visual questions answered with others of the same file, about other images, shown before them (Alayrac et al. 2022). */
export function fewShotTask(vqa: Task, options: ShotOptions = {}): Task {
  return {
    name: 'few-shot',
    describe:
      'Asks the questions of vqa with 0, 2, 4 and 8 others and their answers in front, which are about other images',
    prompt: vqa.prompt,
    maxTokens: vqa.maxTokens,
    ...shotBenchmark(options),
    async load(limit) {
      const all = await vqa.load();
      const support = all.map(({ image, prompt, truth }) => ({ image, prompt, answer: truth }));
      const asked = firstImages(all, ({ image }) => image, limit);
      return asked.flatMap((item) => withShots(item, { drawn: draw(support, item), support }, options));
    },
  };
}

export interface NewWordsSource extends ImageSource {
  /** Conversations in any format of several images, each turn of the user about one: the last is asked, those before are shots. */
  readonly conversations: string;
}

/** Made-up words for what images show, which nobody can know but from the shots (open-ended classes of Tsimpoukelli et al. 2021). */
export function newWordsTask({ images, coming = [], conversations }: NewWordsSource, options: ShotOptions = {}): Task {
  return {
    name: 'new-words',
    describe:
      'Asks which of two made-up words fits an image, with 0, 2, 4 and 8 images in front that are named by them',
    prompt: '{question}',
    maxTokens: 16,
    ...shotBenchmark(options),
    async load(limit) {
      const { rows, report } = readRows(conversations, { images, imagesLater: coming.length > 0 });
      raise(report.reasons.flatMap(({ examples }) => examples));
      const asked = firstImages(rows.map(exchangesOf), ({ at }) => at(-1).image, limit);
      return asked.flatMap(({ id, at, before }) => {
        const { image, prompt, answer: truth } = at(-1);
        const item: Item = { id, image, prompt, truth, judge: ({ text }) => judgeWord(text, truth) };
        return withShots(item, { drawn: before, support: before }, options);
      });
    },
  };
}

/** The exchanges of a conversation, the last of which is asked. */
function exchangesOf({ id, where, media, turns }: Row) {
  const exchanges = turns.flatMap(({ role, parts }, i): Shot[] => {
    const [shown, ...more] = parts.flatMap((part) => (part.type === 'media' ? [media[part.media]] : []));
    if (role !== 'user' || shown?.kind !== 'image' || more.length > 0) return [];
    return [{ image: shown.path, prompt: textOf(parts), answer: textOf(turns[i + 1]?.parts ?? []) }];
  });
  if (2 * exchanges.length !== turns.length || exchanges.length < 2) {
    throw new TesseraError({
      code: 'eval/shots',
      message: 'the conversation is none of shots',
      path: where,
      expected: 'two turns of the user or more, each about one image, and an answer to each',
      got: `${turns.length} turns about ${media.length} images`,
    });
  }
  return { id, at: (place: number) => exchanges.at(place) as Shot, before: exchanges.slice(0, -1) };
}

function textOf(parts: Row['turns'][number]['parts']): string {
  return parts
    .flatMap((part) => (part.type === 'text' ? [part.text] : []))
    .join('')
    .trim();
}

function judgeWord(answer: string, truth: string): Verdict {
  const read = normaliseAnswer(answer);
  const correct = read === normaliseAnswer(truth);
  return { correct, read, tallies: { all: { asked: 1, score: Number(correct) } }, invented: [] };
}
