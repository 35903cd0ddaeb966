import type { PairReport, Side } from './report.ts';

/** A report for readers, as Markdown. */
export function reportText(report: PairReport): string {
  const { builder, judge, model, rows, candidates, pairs, rejects, order } = report;
  return [
    '# Pairs of answers',
    `${pairs} pairs of ${candidates} candidates: \`${builder}\` from the answers of ${model}, judged by the ${judge}.`,
    sides(report),
    [
      `The chosen answer is the longer one in ${percent(report.chosenLonger)} of the pairs.`,
      ...(order
        ? [
            `It has fewer false statements in ${percent(order.right)} of them, as many in ${percent(order.even)}, more in ${percent(order.wrong)}.`,
          ]
        : []),
    ].join(' '),
    ...list('Candidates that made no pair', rejects),
    ...list(`Rows that made no question, of ${rows.read}`, rows.reasons),
  ]
    .join('\n\n')
    .concat('\n');
}

function sides({ answers, chosen, rejected }: PairReport): string {
  const lines: [string, (side: Side) => string][] = [
    ['texts', ({ texts }) => `${texts}`],
    ['mean words', ({ words }) => words.toFixed(1)],
    ['false statements a text', ({ falseStatements: mean }) => mean?.toFixed(2) ?? ''],
    ['texts with a false statement', ({ withFalse }) => share(withFalse)],
    ['objects named', ({ coverage }) => share(coverage)],
    ['sentences not read', ({ unread }) => share(unread)],
  ];
  const all = [answers, chosen, rejected];
  const told = lines.map(([title, cell]) => [title, ...all.map(cell)]).filter((row) => row.slice(1).some(Boolean));
  return [['', 'all answers', 'chosen', 'rejected'], ['---', '---:', '---:', '---:'], ...told]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function list(title: string, reasons: PairReport['rejects']): string[] {
  if (reasons.length === 0) return [];
  const lines = reasons.map(({ code, count, examples }) =>
    `- ${count} ${code}: ${examples[0]?.message ?? ''}`.trimEnd(),
  );
  return [`${title}:\n\n${lines.join('\n')}`];
}

function share(value: number | undefined): string {
  return value === undefined ? '' : percent(value);
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
