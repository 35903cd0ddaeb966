import type { Entry } from '../../src/eval/tasks/catalog.ts';
import { readJsonObject } from '../../src/models/index.ts';

/** A task about boxes: is there one, and does it lie within the image? */
export const pointing: Entry = {
  describe: 'where things are',
  asks: 'answers',
  needs: ['images', 'points.json'],
  world: [],
  open: (at) => ({
    name: 'pointing',
    describe: 'where things are',
    prompt: 'Where is {thing}?',
    maxTokens: 16,
    groups: ['all'],
    metrics: [
      { name: 'pointed', label: 'pointed', describe: 'with a box', unit: 'share', better: 'high', headline: true },
    ],
    load: async (limit) => {
      const { points } = readJsonObject(at('points.json')) as { points: { image: string; prompt: string }[] };
      return points.slice(0, limit).map(({ image, prompt }, i) => ({
        id: `${i}`,
        image: `${at('images')}/${image}`,
        prompt,
        truth: 'a box',
        judge: ({ text, boxes = [] }) => {
          const correct = boxes.length > 0;
          return { correct, read: text, invented: [], tallies: { all: { asked: 1, pointed: correct ? 1 : 0 } } };
        },
      }));
    },
    score: ({ asked = 0, pointed = 0 }) => ({ pointed: asked === 0 ? 0 : pointed / asked }),
  }),
};
