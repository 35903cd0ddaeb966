import { mul } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { contrastive as contrast } from '../../objectives/index.ts';
import type { Method, Objective } from '../objective.ts';
import { notOneImage } from './one-image.ts';

const objective: Objective = {
  name: 'contrastive',
  needs: 'embedder',
  views: ['row'],
  // Every pair is compared with all others of its batch.
  adds: false,
  units: ['batch'],
  feeds: () => new Map(),
  sizes: () => ({ feeds: [], sizes: new Map() }),
  fault: ([row]) => notOneImage(row, { code: 'row/pair', message: 'a contrastive row is one image and its text' }),
  trace(t) {
    const { embedder } = modelThat('embedder', t.model, 'objective contrastive');
    // A pair is one image and one text.
    const x = t.inputs({ N: 'B' });
    const [{ vector: image }, text] = [embedder.image(t.p, x), embedder.text(t.p, x)];
    const scale = embedder.logitScale(t.p);
    return { loss: t.graph.within('loss', () => mul(contrast(image, text, scale), t.share('batch'))) };
  },
};

export const contrastive: Method = {
  says: 'image-text contrast',
  options: {},
  objective: () => objective,
};
