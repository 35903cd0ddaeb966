import { Random } from '../../base/index.ts';
import type { ItemRecord } from '../results.ts';
import { highlight } from './highlight.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { inlineImage, isTiny } from './image.ts';

const imagesShown = 6;
const answersShown = 5;

/**
 * Images with what was asked, answered and really there: some drawn at random, so that nobody picks the good ones, and
 * some where answers were wrong.
 */
export async function examples(records: readonly ItemRecord[], seed: number): Promise<Html> {
  const random = new Random(seed, 'report');
  const images = byImage(records.filter(({ run }) => run === 'sighted'));
  const drawn = mostTasks(random.shuffle([...images.values()]));
  const wrong = drawn
    .slice(imagesShown)
    .map((answers) => answers.filter(({ correct }) => !correct))
    .filter((answers) => answers.length > 0);
  const [good, bad] = await Promise.all([cards(drawn, random), cards(wrong, random)]);
  if (drawn.length === 0) return nothing;
  return html`<section><h2>What it saw and said</h2>
<p class="lead">Images and questions drawn at random by the seed. A tick stands where all that
the answer says is so; what is not so, or is named more often than it is there, is <mark>marked</mark>.</p>
<div class="cards">${good}</div></section>
${wrong.length === 0 ? nothing : html`<section><h2>Where it went wrong</h2><p class="lead">Wrong answers alone, on other images.</p><div class="cards">${bad}</div></section>`}`;
}

export function byImage(records: readonly ItemRecord[]): Map<string, ItemRecord[]> {
  const groups = new Map<string, ItemRecord[]>();
  for (const record of records) {
    const known = groups.get(record.picture);
    if (known) known.push(record);
    else groups.set(record.picture, [record]);
  }
  return groups;
}

/** Images that many tasks ask about come first; the order is otherwise kept. */
function mostTasks(groups: readonly (readonly ItemRecord[])[]): (readonly ItemRecord[])[] {
  const tasks = (records: readonly ItemRecord[]) => new Set(records.map(({ task }) => task)).size;
  return [...groups].sort((a, b) => tasks(b) - tasks(a));
}

function cards(groups: readonly (readonly ItemRecord[])[], random: Random): Promise<Html[]> {
  return Promise.all(groups.slice(0, imagesShown).map((records) => card(chooseAnswers(records, random), answerRow)));
}

/** A few answers of every task in turn, each question once. */
function chooseAnswers(records: readonly ItemRecord[], random: Random): ItemRecord[] {
  const once = [...new Map(records.map((record) => [`${record.task} ${record.prompt}`, record])).values()];
  const queues = [...new Set(once.map(({ task }) => task))].map((task) =>
    random.shuffle(once.filter((record) => record.task === task)),
  );
  const chosen: ItemRecord[] = [];
  for (let round = 0; chosen.length < answersShown && queues.some((queue) => queue.length > round); round++) {
    chosen.push(...queues.flatMap((queue) => queue.slice(round, round + 1)));
  }
  const order = queues.map((queue) => queue[0]?.task);
  return chosen.slice(0, answersShown).sort((a, b) => order.indexOf(a.task) - order.indexOf(b.task));
}

/** The image of some records, with a row for each of them beside it. */
export async function card(records: readonly ItemRecord[], row: (record: ItemRecord) => Html): Promise<Html> {
  const image = await inlineImage(records[0]?.picture as string);
  const crisp = isTiny(image) ? 'crisp' : 'photo';
  return html`<article class="card"><img class="${crisp}" src="${image.uri}" width="${image.width}" height="${image.height}" alt="${records[0]?.truth ?? ''}">
<dl>${records.map(row)}</dl></article>`;
}

/** An answer under a tick or a cross, what is not so marked. */
export function said({ answer, correct, invented }: Pick<ItemRecord, 'answer' | 'correct' | 'invented'>): Html {
  const mark = correct
    ? html`<span class="right" title="right">✓</span>`
    : html`<span class="wrong" title="wrong">✗</span>`;
  return html`${mark}<span class="answer">${answer.trim() === '' ? html`<i>(empty)</i>` : highlight(answer, invented)}</span>`;
}

function answerRow(record: ItemRecord): Html {
  const { prompt, answer, truth, covers } = record;
  const [question] = prompt.split('\n');
  return html`<div><dt>${question ?? ''}</dt><dd>${said(record)}
<span class="truth ${truth.length + answer.length < 18 ? 'short' : 'long'}">${covers ? html`names ${covers.named} of ${covers.of} ${covers.of === 1 ? 'object' : 'objects'} · ` : nothing}<b>really there</b> ${truth || 'nothing'}</span></dd></div>`;
}
