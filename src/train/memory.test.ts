import { describe, expect, it } from 'vitest';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { numbersOf, tinyLlava, tinyModel } from '../../test/support/stages.ts';
import { selector } from '../base/index.ts';
import type { Lora } from '../nn/index.ts';
import type { BatchSize } from './batch.ts';
import { type PlannedStage, planMemory } from './memory.ts';
import { objectiveNamed } from './methods/index.ts';

const RESIDENT = 1e8;
const IMAGE = 4 * 3 * 14 * 14;

/** A batch of LLaVA, of text alone when it has no images. */
function sized(rows: number, length: number, images = 0): BatchSize {
  const sizes = { B: rows, T: length, K: rows * (length - 4), N: images };
  const feeds = ['ids', 'targetRows', 'targetIds', ...(images > 0 ? ['pixels'] : [])];
  return { feeds, sizes: new Map(Object.entries(sizes)) };
}

const engine = await sharedEngine();

function plan(changes: Partial<PlannedStage> & { readonly lora?: Lora }) {
  const stage: PlannedStage = {
    ...tinyModel(tinyLlava, changes.lora),
    engine,
    objective: objectiveNamed('lm'),
    trainable: selector(['**']),
    batches: [sized(4, 12, 4)],
    media: Array(10).fill(1),
    accumulate: 1,
    lanes: 1,
    evaluation: [],
    resumed: false,
    ...changes,
  };
  return { ...planMemory(stage, RESIDENT), parameters: numbersOf(stage.store).length };
}

describe('planMemory', () => {
  it('adds up what the optimizer keeps, as far as it is trained and not there already', () => {
    const whole = plan({});
    expect(whole).toMatchObject({ gradients: 4 * whole.parameters, moments: 8 * whole.parameters, resident: RESIDENT });
    expect(plan({ accumulate: 2 }).gradients).toBe(2 * whole.gradients);
    expect(plan({ accumulate: 2, lanes: 2 }).gradients).toBe(4 * whole.gradients);
    expect(plan({ resumed: true }).moments).toBe(0);
    const projector = plan({ trainable: selector(['multi_modal_projector.**']) });
    expect(projector.moments).toBe(2 * 4 * 2 * (16 * 16 + 16));
    const { resident, gradients, moments, activations, images, runtime } = whole;
    expect(whole.peak).toBe(resident + gradients + moments + activations + images + runtime);
  });

  it('takes the largest batch, and each kind of batch for itself', () => {
    const long = sized(4, 24, 4);
    const text = sized(4, 24);
    const one = plan({ batches: [sized(4, 12, 4), long, sized(2, 16, 2)] });
    expect(one.largest).toEqual({ B: 4, T: 24, K: 80, N: 4 });
    expect(one.activations).toBe(plan({ batches: [long] }).activations);
    expect(plan({ batches: [long, text] }).activations).toBe(one.activations + plan({ batches: [text] }).activations);
    expect(plan({ batches: [long], evaluation: [long, text] }).activations).toBeGreaterThan(one.activations);
    expect(plan({ batches: [long], lanes: 2 }).activations).toBe(2 * one.activations);
    const alone = { ...engine, canOverlap: false };
    expect(plan({ batches: [long], lanes: 2, engine: alone }).activations).toBe(one.activations);
  });

  it('keeps less where less is trained, and still less when layers are computed again', () => {
    const batches = [sized(16, 24, 16)];
    const [all, projector] = [plan({ batches }), plan({ batches, trainable: selector(['multi_modal_projector.**']) })];
    expect(projector.activations).toBeLessThan(all.activations);
    expect(plan({ batches, recompute: true }).activations).toBeLessThan(0.8 * all.activations);
  });

  it('counts images that are kept ready and those of two steps', () => {
    expect(plan({}).images).toBe(IMAGE * (10 + 2 * 4));
    expect(plan({ batches: [sized(4, 12)], media: [] }).images).toBe(0);
    // Kept images are bounded.
    expect(plan({ media: [1e9] }).images).toBe(512 * 2 ** 20 + 2 * 4 * IMAGE);
  });
});
