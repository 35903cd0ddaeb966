import { corrected } from '../corrections.ts';
import { type Builder, refused } from './builder.ts';
import { nothingWrong, overCorrections, type PairOf } from './over-corrections.ts';

/** An answer and the same with its wrong spans put right (Yu et al. 2023, RLHF-V): each answer is a candidate. */
export const correctedSpans: Builder = {
  says: 'an answer, and the same with what is wrong in it put right (RLHF-V)',
  answers: 1,
  build: (judge, questions, signal) => overCorrections(judge, questions, signal, pairOf),
};

const pairOf: PairOf = (answer, corrections, id) => {
  const right = corrected(answer, corrections).trim();
  if (right === answer.trim()) return nothingWrong(id);
  if (right === '') return refused('nothing-left', 'nothing of the answer is right', id, JSON.stringify(answer));
  return { kept: { chosen: right, rejected: answer } };
};
