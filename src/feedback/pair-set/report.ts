import type { Fault } from '../../base/index.ts';
import type { Reason } from '../../data/index.ts';
import { wordCount } from '../../eval/index.ts';
import type { CandidateRecord, QuestionRecord, Truth } from './record.ts';

/** What a set of texts is like; what is told of their truth is there where the scenes are known. */
export interface Side {
  readonly texts: number;
  /** Mean number of words. */
  readonly words: number;
  /** Mean number of false statements of a text, and the share of texts with any. */
  readonly falseStatements?: number;
  readonly withFalse?: number;
  /** Share of the objects that are there that are named rightly. */
  readonly coverage?: number;
  /** Share of the sentences that make no claim which can be read. */
  readonly unread?: number;
}

/** `feedback/report.json`: everything that was asked is a pair, or is refused with one reason. */
export interface PairReport {
  readonly builder: string;
  readonly judge: string;
  readonly model: string;
  /** Rows that no question was made of, by reason. */
  readonly rows: { readonly read: number; readonly asked: number; readonly reasons: readonly Reason[] };
  readonly candidates: number;
  readonly pairs: number;
  /** Candidates that made no pair, by reason, the most frequent first. */
  readonly rejects: readonly Reason[];
  readonly answers: Side;
  readonly chosen: Side;
  readonly rejected: Side;
  /** Share of the pairs whose chosen answer is the longer one, in words; pairs of one length count half. */
  readonly chosenLonger: number;
  /** Shares of the pairs whose chosen answer has fewer, as many and more false statements. */
  readonly order?: { readonly right: number; readonly even: number; readonly wrong: number };
}

const EXAMPLES = 3;

/** Sums up what became of questions. */
export class PairCounts {
  readonly #reasons = new Map<string, { count: number; examples: Fault[] }>();
  readonly #answers = new SideCounts();
  readonly #chosen = new SideCounts();
  readonly #rejected = new SideCounts();
  #candidates = 0;
  #longer = 0;
  readonly #order = { right: 0, even: 0, wrong: 0 };

  add({ answers, candidates }: QuestionRecord): void {
    for (const { text, truth } of answers) this.#answers.add(text, truth);
    for (const candidate of candidates) this.#addCandidate(candidate);
  }

  #addCandidate(candidate: CandidateRecord): void {
    this.#candidates++;
    if ('refused' in candidate) {
      const known = this.#reasons.get(candidate.refused.code) ?? { count: 0, examples: [] };
      known.count++;
      if (known.examples.length < EXAMPLES) known.examples.push(candidate.refused);
      this.#reasons.set(candidate.refused.code, known);
      return;
    }
    const { pair, truth } = candidate;
    this.#chosen.add(pair.chosen, truth?.chosen);
    this.#rejected.add(pair.rejected, truth?.rejected);
    const longer = wordCount(pair.chosen) - wordCount(pair.rejected);
    this.#longer += longer > 0 ? 1 : longer === 0 ? 0.5 : 0;
    if (!truth) return;
    const fewer = truth.rejected.false - truth.chosen.false;
    this.#order[fewer > 0 ? 'right' : fewer === 0 ? 'even' : 'wrong']++;
  }

  get pairs(): number {
    return this.#chosen.texts;
  }

  get rejects(): number {
    return this.#candidates - this.pairs;
  }

  report(of: Pick<PairReport, 'builder' | 'judge' | 'model' | 'rows'>): PairReport {
    const known = this.#order.right + this.#order.even + this.#order.wrong;
    const { right, even, wrong } = this.#order;
    const reasons = [...this.#reasons].map(([code, { count, examples }]) => ({ code, count, examples }));
    return {
      ...of,
      candidates: this.#candidates,
      pairs: this.pairs,
      rejects: reasons.sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1)),
      answers: this.#answers.side(),
      chosen: this.#chosen.side(),
      rejected: this.#rejected.side(),
      chosenLonger: ratio(this.#longer, this.pairs),
      ...(known > 0 && { order: { right: right / known, even: even / known, wrong: wrong / known } }),
    };
  }
}

class SideCounts {
  texts = 0;
  #words = 0;
  #known = 0;
  #withFalse = 0;
  readonly #sum = { false: 0, covered: 0, objects: 0, sentences: 0, unread: 0 };

  add(text: string, truth: Truth | undefined): void {
    this.texts++;
    this.#words += wordCount(text);
    if (!truth) return;
    this.#known++;
    this.#withFalse += Number(truth.false > 0);
    const sum = this.#sum;
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += truth[key];
  }

  side(): Side {
    const sum = this.#sum;
    const truth = this.#known > 0 && {
      falseStatements: sum.false / this.#known,
      withFalse: this.#withFalse / this.#known,
      coverage: ratio(sum.covered, sum.objects),
      unread: ratio(sum.unread, sum.sentences),
    };
    return { texts: this.texts, words: ratio(this.#words, this.texts), ...truth };
  }
}

/** A share; 0 of nothing, so that a report is plain JSON. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
