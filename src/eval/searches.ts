import { Random, TesseraError } from '../base/index.ts';
import type { EvaluateOptions, Planned, PoolRankings, Responder, SearchHooks } from './asking.ts';
import { derange } from './derangement.ts';
import type { ItemRecord } from './results.ts';
import { requireItems, summariseTask } from './summarise.ts';
import type { Pool, PoolRanking, SearchItem, SearchTask, Verdict } from './tasks/task.ts';

/** A pool with the image that stands at each place. */
interface Dealt {
  readonly run: ItemRecord['run'];
  /** At each place, the place in the pool of the image that stands there. */
  readonly shown: readonly number[];
}

/**
 * Searches the pool of a task once. In its blind run every image stands in the place of another; what is found is then what was
 * found before, at other places, so that nothing is computed twice.
 * @throws TesseraError `eval/empty`, `eval/against`, `eval/responder` for one that cannot search
 */
export async function planSearch(task: SearchTask, responder: Responder, options: EvaluateOptions): Promise<Planned> {
  const { blind = true, seed = 0, resamples = 1000, limit, signal } = options;
  if (options.against) throw notAgainst(task);
  const { pool, items } = await task.pool(limit);
  requireItems(task, items, limit);
  const places = [...pool.images.keys()];
  const sighted: Dealt = { run: 'sighted', shown: places };
  const shuffled = blind ? dealAnew(places, new Random(seed, 'blind', task.name)) : undefined;
  const onProgress: SearchHooks['onProgress'] = (unit, done, total) =>
    options.onProgress?.({ task: task.name, run: 'sighted', done, total, unit });
  return {
    images: pool.images,
    requests: 0,
    async ask() {
      const found = await searched(responder, pool, { signal, onProgress });
      const judge = (run: Dealt) => judgeAll(task, pool, items, found, run, options.onRecord);
      const verdicts = { sighted: judge(sighted), ...(shuffled && { blind: judge(shuffled) }) };
      return summariseTask(task, items, verdicts, {}, { seed, resamples });
    },
  };
}

function notAgainst({ name }: SearchTask): TesseraError {
  return new TesseraError({
    code: 'eval/against',
    message:
      'searches are not compared with those of another evaluation: its records hold the first that was found alone',
    path: name,
    expected: 'tasks that ask questions',
    remedy: 'name other --tasks',
  });
}

function dealAnew(places: readonly number[], random: Random): Dealt {
  const other = derange(places, random);
  return { run: 'blind', shown: places.map((place) => other.get(place) as number) };
}

async function searched(responder: Responder, pool: Pool, hooks: SearchHooks): Promise<PoolRankings> {
  const found = await responder.search?.(pool, hooks);
  if (found) return found;
  throw new TesseraError({
    code: 'eval/responder',
    message: 'the responder does not search',
    path: responder.name,
    expected: 'one that compares images with texts',
  });
}

function judgeAll(
  { name: task }: SearchTask,
  { images }: Pool,
  items: readonly SearchItem[],
  found: PoolRankings,
  { run, shown }: Dealt,
  onRecord: EvaluateOptions['onRecord'],
): Map<SearchItem, Verdict> {
  const placeOf = new Map(shown.map((image, place) => [image, place]));
  const shownFor = new Map(images.map((image, place) => [image, images[shown[place] as number] as string]));
  const moved = (list: readonly number[]) => list.map((image) => placeOf.get(image) as number);
  const rankingOf = ({ by }: SearchItem): PoolRanking => {
    if ('image' in by) return found.ofImages[shown[by.image] as number] as PoolRanking;
    const { contrast, rematched } = found.ofTexts[by.text] as PoolRanking;
    return { contrast: moved(contrast), ...(rematched && { rematched: moved(rematched) }) };
  };
  return new Map(
    items.map((item) => {
      const { id, image, prompt, truth } = item;
      const verdict = item.judge(rankingOf(item));
      const { read, correct, invented } = verdict;
      const other = shownFor.get(image) as string;
      onRecord?.({ task, run, id, picture: image, shown: other, prompt, answer: read, read, truth, correct, invented });
      return [item, verdict];
    }),
  );
}
