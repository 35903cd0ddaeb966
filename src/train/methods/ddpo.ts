import type { Example } from '../../data/index.ts';
import { changedItems, changeWeights, preferenceLoss } from '../../objectives/index.ts';
import { method } from '../objective.ts';
import { overPairs, saysOfBeta } from './pairs.ts';

/**
 * Dense DPO (Yu et al. 2023, RLHF-V): the tokens in which an answer and its correction differ weigh more. The defaults are
 * the paper's; its released code has beta 0.1, gamma 1.1 and no average.
 */
export const ddpo = method({
  says: 'a corrected answer over the original, its changed tokens above all',
  options: {
    beta: { says: saysOfBeta, value: 0.5 },
    gamma: { says: 'weight of a changed token, others having 1', value: 5 },
    average: { says: "an answer's log-probability is the weighted mean of its tokens', and not the sum", value: true },
  },
  objective: ({ beta, gamma, average }) =>
    overPairs({
      name: 'ddpo',
      views: ['chosen', 'rejected'],
      beta,
      weights: (sample) => {
        const [chosen, rejected] = sample as [Example, Example];
        const changes = changedItems(chosen.ids.slice(1), rejected.ids.slice(1));
        return [chosen, rejected].map(({ supervised }, i) => {
          const targets = (changes[i] as Uint8Array).filter((_, t) => supervised[t + 1] === 1);
          return changeWeights(targets, gamma, average);
        });
      },
      loss: (chosen, rejected) => preferenceLoss(chosen, rejected, beta),
    }),
});
