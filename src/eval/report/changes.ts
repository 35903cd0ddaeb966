import { Random } from '../../base/index.ts';
import { formatDifference, formatFlips, formatInterval, formatValue } from '../format-scores.ts';
import { headlines } from '../headlines.ts';
import type { Evaluation, ItemRecord } from '../results.ts';
import { byImage, card, said } from './examples.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';

const imagesShown = 6;
const answersShown = 4;

/** What is other than in the evaluation that this one is compared with: scores, and answers side by side. */
export async function changes(evaluation: Evaluation, records: readonly ItemRecord[]): Promise<Html> {
  const { against, tasks, seed } = evaluation;
  if (!against) return nothing;
  const flips = tasks.flatMap(({ task, flips }) =>
    flips ? [html`<li><b>${task}</b>: ${formatFlips(flips)}</li>`] : [],
  );
  const random = new Random(seed, 'changes');
  const [better, worse] = await Promise.all(
    [true, false].map((right) =>
      cards(
        records.filter((record) => flipped(record) && record.correct === right),
        random,
      ),
    ),
  );
  return html`<section><h2>What changed against ${against.model}</h2>
<p class="lead">Both answered the same questions (the other on ${against.date.slice(0, 10)}, in <code>${against.folder}</code>). A change has
the paired interval: each resample draws the same images for both. The sign test asks how likely so uneven a split is by chance.</p>
<div class="panel"><ul>${flips}</ul></div>
<article class="task">${scoreTable(evaluation)}</article>
${changed('Became right', better as Html[])}${changed('Became wrong', worse as Html[])}</section>`;
}

function flipped({ run, correct, against }: ItemRecord): boolean {
  return run === 'sighted' && against !== undefined && against.correct !== correct;
}

function scoreTable(evaluation: Evaluation): Html {
  const rows = headlines(evaluation).map(
    ({ task, group, metric, result: { sighted, against, change } }) => html`<tr><th scope="row">${task} ${group}</th>
<td title="${metric.describe}">${metric.label}</td><td class="n">${formatValue(against?.value ?? null, metric)}</td><td class="n score">${formatValue(sighted.value, metric)}</td>
<td class="n">${formatDifference(change, metric)}</td><td class="n">${change ? formatInterval(change, metric).replaceAll('-', '−') : '–'}</td></tr>`,
  );
  return html`<div class="scroll"><table><thead><tr><th></th><th>metric</th><th class="n">before</th><th class="n">now</th><th class="n">change</th><th class="n">95% interval</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function changed(title: string, shown: readonly Html[]): Html {
  return shown.length === 0 ? nothing : html`<h3 class="part">${title}</h3><div class="cards">${shown}</div>`;
}

/** Images drawn at random, each with a few of the answers that changed. */
function cards(records: readonly ItemRecord[], random: Random): Promise<Html[]> {
  const images = random.shuffle([...byImage(records).values()]).slice(0, imagesShown);
  return Promise.all(
    images.map((answers) => {
      const once = new Map(answers.map((record) => [`${record.task} ${record.prompt}`, record]));
      return card(random.shuffle([...once.values()]).slice(0, answersShown), bothAnswers);
    }),
  );
}

function bothAnswers(record: ItemRecord): Html {
  const [question] = record.prompt.split('\n');
  const before = record.against as NonNullable<ItemRecord['against']>;
  return html`<div class="${record.correct ? 'better' : 'worse'}"><dt>${question ?? ''}</dt>
<dd>${said(before)}<span class="truth short">before</span></dd>
<dd>${said(record)}<span class="truth short">now</span><span class="truth long"><b>really there</b> ${record.truth || 'nothing'}</span></dd></div>`;
}
