import { describe, expect, it } from 'vitest';
import { selector } from '../../src/base/index.ts';
import { GenerationProgram, generate } from '../../src/generate/index.ts';
import type { NodeBackend } from '../../src/runtime/index.ts';
import { checkOpOn } from '../support/check-op.ts';
import { sharedEngine } from '../support/evaluate.ts';
import { referenceCase } from '../support/model-cases.ts';
import { opCase, referenceCases } from '../support/op-cases.ts';
import { useSoftwareGpu } from '../support/software-gpu.ts';
import { imageBatch, tinyLlava, tinyModel, tinyStage, train } from '../support/stages.ts';

const missing = await useSoftwareGpu();

/** WGSL leaves sine and cosine this much: https://www.w3.org/TR/WGSL/#concrete-float-accuracy. */
const TRIGONOMETRY = 2 ** -11;
const tolerances: Readonly<Record<string, number>> = { sin: TRIGONOMETRY, cos: TRIGONOMETRY };

const GENERATION = 'llava/v1.5-multi';
const STEPS = 10;
const LOSS = 1e-4;

describe.skipIf(missing)(missing ? `webgpu: ${missing}` : 'webgpu', { timeout: 300_000 }, () => {
  describe('every operator against PyTorch', () => {
    // Without a device, one line that says so is enough.
    it.each(missing ? [] : referenceCases)('$name', (c) => checkOpOn('webgpu', c.name, opCase(c), tolerances[c.op]));
  });

  it('trains the tiny LLaVA to the losses of the processor', async () => {
    const [cpu, webgpu] = [await losses('c-api'), await losses('webgpu')];
    expect(webgpu).toHaveLength(STEPS);
    for (const [i, loss] of cpu.entries()) expect(Math.abs((webgpu[i] as number) - loss) / loss).toBeLessThan(LOSS);
    expect(cpu.at(-1)).toBeLessThan(0.9 * (cpu[0] as number));
  });

  it('generates the tokens of transformers', async () => {
    const { model, store, greedy } = referenceCase(GENERATION);
    const program = new GenerationProgram({ engine: await sharedEngine('webgpu'), model, store });
    const answers = await generate(
      program,
      greedy.map(({ prompt }) => ({ ...prompt, maxTokens: 12 })),
    );
    expect(answers.map(({ ids }) => ids)).toEqual(greedy.map(({ tokens }) => tokens));
    await program.dispose();
  });
});

async function losses(backend: NodeBackend): Promise<number[]> {
  const stage = await tinyStage({
    ...tinyModel(tinyLlava),
    engine: await sharedEngine(backend),
    trainable: selector(['**']),
    source: { stepsPerEpoch: 4, lanes: 1, step: async (step) => [[imageBatch(step % 2, 2)]] },
    settings: { steps: STEPS },
  });
  const { records } = await train(stage);
  return records.map(({ loss }) => loss);
}
