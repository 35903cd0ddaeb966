import { share } from './tally.ts';

/** Outcomes of yes/no questions; *yes* is the positive class. */
export type PopeCounts = {
  readonly tp: number;
  readonly fp: number;
  readonly tn: number;
  readonly fn: number;
};

type PopeScores = {
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Share of questions answered with yes; a balanced test has 0.5 yes labels. */
  readonly yesRatio: number;
};

export type YesNo = 'yes' | 'no';

/**
 * Reads a free answer as POPE does (Li et al. 2023): of the text before the first period, without commas and split at
 * single spaces, one of the words `No`, `not`, `no` makes it a no. Everything else is a yes, even "There isn't any".
 */
export function parseYesNo(answer: string): YesNo {
  return sentenceWords(answer).some((word) => word === 'No' || word === 'not' || word === 'no') ? 'no' : 'yes';
}

/** Whether the answer says neither yes nor no in so many words, and counts as a yes only for want of a no. */
export function isUnclear(answer: string): boolean {
  return parseYesNo(answer) === 'yes' && !sentenceWords(answer).some((word) => word === 'Yes' || word === 'yes');
}

function sentenceWords(answer: string): string[] {
  const [first = ''] = answer.split('.', 1);
  return first.replaceAll(',', '').split(' ');
}

/** The one count that is 1 for an answered question. */
export function popeCounts(answer: YesNo, label: YesNo): PopeCounts {
  return {
    tp: Number(answer === 'yes' && label === 'yes'),
    fp: Number(answer === 'yes' && label === 'no'),
    tn: Number(answer === 'no' && label === 'no'),
    fn: Number(answer === 'no' && label === 'yes'),
  };
}

/** Scores of summed counts; NaN where a score is undefined, such as the precision of a model that never says yes. */
export function popeScores({ tp, fp, tn, fn }: PopeCounts): PopeScores {
  const all = tp + fp + tn + fn;
  return {
    accuracy: share(tp + tn, all),
    precision: share(tp, tp + fp),
    recall: share(tp, tp + fn),
    f1: share(2 * tp, 2 * tp + fp + fn),
    yesRatio: share(tp + fp, all),
  };
}
