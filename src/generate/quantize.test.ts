import { describe, expect, it } from 'vitest';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { decoderCases, imageCases, referenceCase } from '../../test/support/model-cases.ts';
import type { Tensor } from '../base/index.ts';
import { generate } from './decode.ts';
import { GenerationProgram, type GenerationProgramOptions } from './program.ts';
import type { Prompt } from './prompt.ts';
import { type Quantization, quantizeWeights } from './quantize.ts';
import { continuation, score } from './score.ts';

describe('fixed weights', () => {
  it.each([...decoderCases, 'llava/v1.5'])('%s: give the tokens of transformers', async (name) => {
    const { greedy, ...reference } = referenceCase(name);
    const program = new GenerationProgram({ ...reference, engine: await sharedEngine(), fixed: true });
    const requests = greedy.map(({ prompt, tokens }) => ({ ...prompt, maxTokens: tokens.length }));
    const answers = await generate(program, requests);
    expect(answers.map(({ ids }) => ids)).toEqual(greedy.map(({ tokens }) => tokens));
    await program.dispose();
  });

  it('are no feeds of a step, and a store that may change still is', async () => {
    const reference = { ...referenceCase('decoder/mha'), engine: await sharedEngine() };
    const fed = async (options: GenerationProgramOptions) => {
      const program = new GenerationProgram(options);
      const names = (await program.session('decode')).inputs.map(({ name }) => name);
      await program.dispose();
      return names.filter((name) => reference.store.tensors.has(name)).length;
    };
    expect(await fed({ ...reference, fixed: true })).toBe(0);
    expect(await fed(reference)).toBe(reference.store.tensors.size);
    // A large model's would take their memory several times over. What nobody writes to takes none here.
    const large: Tensor<'float32'> = { dtype: 'float32', shape: [2 ** 26], data: new Float32Array(2 ** 26) };
    const store = { ...reference.store, tensors: new Map([...reference.store.tensors, ['ballast', large]]) };
    expect(await fed({ ...reference, store, fixed: true })).toBe(reference.store.tensors.size);
  });
});

/** Log-probabilities of the tokens that transformers gave. */
async function scores(name: string, how?: Quantization): Promise<number[]> {
  const { greedy, ...reference } = referenceCase(name);
  const options = { ...reference, engine: await sharedEngine() };
  const program = new GenerationProgram(how ? quantizeWeights(options, how) : options);
  const all = await score(
    program,
    greedy.map(({ prompt, tokens }) => continuation(prompt, tokens)),
  );
  await program.dispose();
  return all.flatMap((each) => [...each]);
}

describe('weights in few bits', () => {
  it.each([...decoderCases, ...imageCases.slice(0, 2)])('%s: move log-probabilities little', async (name) => {
    const [exact, int8, int4] = [await scores(name), await scores(name, 'int8'), await scores(name, 'int4')];
    const error = (others: readonly number[]) =>
      Math.sqrt(others.reduce((sum, x, i) => sum + (x - (exact[i] as number)) ** 2, 0) / exact.length);
    expect(error(int8)).toBeGreaterThan(0);
    // The weights of these models are random and large, so that rounding shows more than in a trained one.
    expect(error(int8)).toBeLessThan(0.06);
    expect(error(int4)).toBeLessThan(0.6);
    expect(error(int4)).toBeGreaterThan(error(int8));
  });

  it('decode, with images and without, as they score', async () => {
    const { greedy, ...reference } = referenceCase('llava/v1.5');
    const program = new GenerationProgram(quantizeWeights({ ...reference, engine: await sharedEngine() }, 'int8'));
    for (const { prompt, tokens } of greedy) {
      const [answer] = await generate(program, [{ ...prompt, maxTokens: tokens.length }]);
      const ids = answer?.ids as number[];
      const [own] = await score(program, [continuation(prompt, ids)]);
      const [other] = await score(program, [
        continuation(
          prompt,
          ids.map((id) => (id + 1) % 90),
        ),
      ]);
      const sum = (values: Float32Array | undefined) => [...(values ?? [])].reduce((a, b) => a + b, 0);
      expect(sum(own)).toBeGreaterThan(sum(other));
    }
    await program.dispose();
  });

  it('take the place of the parameters, which are let go', async () => {
    const { model, store } = referenceCase('decoder/mha');
    const whole: GenerationProgramOptions = { engine: await sharedEngine(), model, store };
    const options = quantizeWeights(whole, 'int4');
    const matrices = [...store.tensors.keys()].filter((path) => /_proj|lm_head/.test(path));
    expect([...(options.quantized?.keys() ?? [])].sort()).toEqual(matrices.sort());
    expect(options.store.tensors.size + matrices.length).toBe(store.tensors.size);
  });

  it.each(['decoders/opt', 'decoders/phi3', 'encoder-decoder/t5-v1.1'])('%s: answer with them', async (name) => {
    const { greedy, ...reference } = referenceCase(name);
    const whole: GenerationProgramOptions = { ...reference, engine: await sharedEngine() };
    const options = quantizeWeights(whole, 'int8');
    const rounded = [...(options.quantized?.keys() ?? [])];
    expect(rounded.every((path) => reference.store.specs.get(path)?.linear)).toBe(true);
    expect(rounded.length).toBeGreaterThan(7);
    const program = new GenerationProgram(options);
    const [answer] = await generate(program, [{ ...(greedy[0]?.prompt as Prompt), maxTokens: 3 }]);
    expect(answer?.ids).toHaveLength(3);
    await program.dispose();
  });

  it('are refused where the provider cannot multiply with them', async () => {
    const { model, store } = referenceCase('decoder/mha');
    const engine = { ...(await sharedEngine()), target: 'webgpu', name: 'webgpu' } as const;
    expect(() => quantizeWeights({ engine, model, store }, 'int4')).toThrow(
      expect.objectContaining({ code: 'generate/quantize', got: 'webgpu' }),
    );
  });
});
