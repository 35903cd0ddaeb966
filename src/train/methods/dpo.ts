import { preferenceLoss } from '../../objectives/index.ts';
import { method } from '../objective.ts';
import { overPairs, saysOfBeta } from './pairs.ts';

/** Direct preference optimisation (Rafailov et al. 2023), the log-probabilities of an answer's tokens summed. */
export const dpo = method({
  says: 'a chosen answer over a rejected one',
  options: { beta: { says: saysOfBeta, value: 0.1 } },
  objective: ({ beta }) =>
    overPairs({
      name: 'dpo',
      views: ['chosen', 'rejected'],
      beta,
      loss: (chosen, rejected) => preferenceLoss(chosen, rejected, beta),
    }),
});
