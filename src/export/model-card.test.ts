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

it('names no place of the machine', () => {
  const overrides = ['model.from=/home/someone/models/llava', 'stages.tune.data.0.path=/home/someone/rows.json'];
  const tuned = loadPlan('llava-1.5-lora', [...overrides, 'output.folder=/home/someone/runs/x']);
  const card = modelCard(tuned, { json: {}, writer: {} } as unknown as Model, [], new DataReport());
  expect(card).not.toContain('/home');
  expect(card).toContain('from: llava\n');
  expect(card).toContain('path: rows.json\n');
});
