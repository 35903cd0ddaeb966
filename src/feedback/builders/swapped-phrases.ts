import type { Correction } from '../judge.ts';
import type { Builder, PhrasePlaces } from './builder.ts';
import { refused } from './builder.ts';
import { overCorrections, type PairOf } from './over-corrections.ts';

/**
 * A right answer and the same with wrong phrases in their places (Sarkar et al. 2024, HALVA). The wrong phrases are those
 * that the model wrote itself, where the paper has another model make them up; what can only be left out of an answer, or
 * put into it, is so on both sides. Each answer is a candidate, and one in which nothing is wrong is to stay as likely.
 */
export const swappedPhrases: Builder = {
  says: 'an answer with its wrong phrases, and the same with the right ones in their places (HALVA)',
  answers: 1,
  async build(judge, questions, signal) {
    const all = await overCorrections(judge, questions, signal, pairOf);
    return all.map((one) => ({ ...one, right: placesOfRight(one.findings) }));
  },
};

/** The answers in which the judge looked for something wrong and found nothing. */
function placesOfRight(findings: readonly unknown[]): number[] {
  return findings.flatMap((finding, at) => (Array.isArray(finding) && finding.length === 0 ? [at] : []));
}

const pairOf: PairOf = (answer, corrections, id) => {
  const phrases: PhrasePlaces[] = [];
  let [chosen, rejected, from] = ['', '', 0];
  for (const { start, end, text } of tight(answer, corrections)) {
    const before = answer.slice(from, start);
    [chosen, rejected, from] = [chosen + before, rejected + before, end];
    const wrong = answer.slice(start, end);
    const swaps = wrong !== '' && text !== '';
    if (swaps) {
      phrases.push({
        chosen: [chosen.length, chosen.length + text.length],
        rejected: [rejected.length, rejected.length + wrong.length],
      });
    }
    chosen += text;
    rejected += swaps ? wrong : text;
  }
  if (phrases.length === 0) {
    return refused(
      'no-phrase',
      'nothing stands in the place of what is wrong in the answer',
      id,
      JSON.stringify(answer),
    );
  }
  const rest = answer.slice(from);
  return { kept: { chosen: chosen + rest, rejected: rejected + rest, phrases } };
};

/** Corrections without the white space that both of their sides begin and end with. */
function tight(answer: string, corrections: readonly Correction[]): Correction[] {
  return corrections.map(({ start, end, text }) => {
    const wrong = answer.slice(start, end);
    const shared = (side: RegExp) => {
      const [a, b] = [wrong, text].map((words) => side.exec(words)?.[0] ?? '') as [string, string];
      return wrong.trim() === '' || text.trim() === '' || a !== b ? 0 : a.length;
    };
    const [first, last] = [shared(/^\s+/), shared(/\s+$/)];
    return { start: start + first, end: end - last, text: text.slice(first, text.length - last) };
  });
}
