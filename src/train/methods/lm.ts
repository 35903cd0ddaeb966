import { supervisedTargets, targetCount } from '../../data/index.ts';
import { tokenLogProb } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { languageModeling } from '../../objectives/index.ts';
import type { Method, Objective } from '../objective.ts';

const objective: Objective = {
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
    const { writer } = modelThat('writer', t.model, 'objective lm');
    // The head and the last layer are computed at supervised rows alone.
    const x = t.inputs();
    const { hidden } = writer.hidden(t.p, x, { rows: t.feed('targetRows', 'int32', ['K']) });
    const logProbs = tokenLogProb(writer.head(t.p, hidden), t.feed('targetIds', 'int32', ['K']));
    return { loss: t.graph.within('loss', () => languageModeling(logProbs, t.share('token'))) };
  },
};

export const lm: Method = {
  says: 'next-token cross-entropy',
  options: {},
  objective: () => objective,
};
