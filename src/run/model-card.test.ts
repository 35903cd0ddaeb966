import { expect, it } from 'vitest';
import { DataReport } from '../data/index.ts';
import type { Model } from '../models/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { modelCard } from './model-card.ts';

const plan = loadPlan('tabletop-lm', ['output.folder=runs/x']);
const cardOf = (model: object) => modelCard(plan, { json: {}, ...model } as Model, [], new DataReport());

it('tells how to use a model by what it takes', () => {
  expect(cardOf({ writer: {}, image: {} })).toContain('tessera chat <this folder> --image picture.png\n');
  expect(cardOf({ writer: {} })).toContain('tessera chat <this folder>\n');
  expect(cardOf({ embedder: {} })).toContain('model.vision=<this folder>\n');
});
