import { supervisedTargets, targetCount } from '../../data/index.ts';
import { add, gather, gatherElements, mul, reshape, tokenLogProb, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { languageModeling, zLoss } from '../../objectives/index.ts';
import { method, type Objective, type Trace } from '../objective.ts';

export const lm = method({
  says: 'next-token cross-entropy',
  options: {
    z_loss: {
      says: 'weight of the squared logarithm of the denominator of each softmax; Chameleon has 1e-5',
      value: 0,
    },
  },
  objective: ({ z_loss }): Objective => ({
    name: 'lm',
    needs: 'writer',
    views: ['row'],
    adds: true,
    units: ['token'],
    feeds(rows, width) {
      const { targetRows, targetIds } = supervisedTargets(rows, width);
      return new Map([
        ['targetRows', targetRows],
        ['targetIds', targetIds],
      ]);
    },
    sizes: (rows) => ({
      feeds: ['targetRows', 'targetIds'],
      sizes: new Map([['K', rows.reduce((n, row) => n + targetCount(row), 0)]]),
    }),
    trace(t) {
      const { logits, targets } = predicted(t);
      const logProbs = tokenLogProb(logits, targets);
      return t.graph.within('loss', () => {
        const loss = languageModeling(logProbs, t.share('token'));
        if (z_loss === 0) return { loss };
        const chosen = reshape(gatherElements(logits, reshape(targets, ['K', 1])), ['K']);
        const penalty = zLoss(chosen, logProbs, t.share('token'));
        return { loss: add(loss, mul(penalty, z_loss)), metrics: { z_loss: penalty } };
      });
    },
  }),
});

/** Logits `[K, V]` of the supervised tokens, and these tokens, int32 `[K]`. */
function predicted(t: Trace): { readonly logits: Value; readonly targets: Value } {
  const { writer } = modelThat('writer', t.model, 'objective lm');
  // The head and the last layer are computed at supervised rows alone.
  const rows = t.feed('targetRows', 'int32', ['K']);
  const { hidden, ids } = writer.hidden(t.p, t.inputs(), { rows });
  const logits = writer.head(t.p, hidden);
  if (!ids) return { logits, targets: t.feed('targetIds', 'int32', ['K']) };
  // What stands in the slots of images is known to the model alone.
  return { logits, targets: t.graph.within('loss', () => gather(reshape(ids, [-1]), add(rows, 1))) };
}
