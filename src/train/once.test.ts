import { expect, test } from 'vitest';
import { maxRelative } from '../../test/support/compare.ts';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { fixture } from '../../test/support/fixtures.ts';
import { copyOf } from '../../test/support/stages.ts';
import { Random, type Tensor, tensor } from '../base/index.ts';
import {
  type Example,
  type MediaLoader,
  type MediaPlan,
  mediaKey,
  type Processor,
  planBatches,
} from '../data/index.ts';
import { loadModel } from '../models/index.ts';
import { allocateGradients } from './gradients.ts';
import { objectiveNamed } from './methods/index.ts';
import { LossProgram } from './program.ts';
import { exampleSizes, exampleSource } from './source.ts';

/** A row about an image: what it was asked, and what it says. */
function row(processor: Processor, path: string, said: readonly number[]): Example {
  const media = { kind: 'image', path } as const;
  const plan = processor.plan?.(media, () => []) as MediaPlan;
  const before = processor.front ? [...plan.ids, 1, 4] : [1, ...plan.ids, 4];
  return {
    id: path,
    where: path,
    ids: Int32Array.from([...before, ...said]),
    supervised: Uint8Array.from([...before.fill(0), ...said.map(() => 1)]),
    media: [{ media, input: 'ids', start: processor.beside || processor.front ? 0 : 1, tokens: plan.ids.length, plan }],
  };
}

/** Pixels that depend on the name of the image alone. */
function loader(processor: Processor): MediaLoader {
  const size = (processor.inputs.pixels?.shape ?? []).slice(1) as number[];
  return {
    load: async (media) =>
      media.map(({ media }) => {
        const random = new Random(1, 'pixels', mediaKey(media));
        const data = Float32Array.from({ length: size.reduce((n, d) => n * d, 1) }, () => random.normal());
        return { pixels: tensor('float32', [1, ...size], data) };
      }),
  };
}

/** The batch with every image as often as it is shown. */
function spread(feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const pixels = feeds.get('pixels') as Tensor<'float32'>;
  const shown = [...(feeds.get('imagesShown') as Tensor<'int32'>).data];
  const size = pixels.data.length / (pixels.shape[0] as number);
  const data = Float32Array.from(shown.flatMap((i) => [...pixels.data.subarray(i * size, (i + 1) * size)]));
  const all = new Map(feeds).set('pixels', tensor('float32', [shown.length, ...pixels.shape.slice(1)], data));
  all.delete('imagesShown');
  return all;
}

test.each([
  ['llava/v1.5', 'dpo', 2],
  ['llava/v1.5', 'mdpo', 2],
  ['flamingo/llama', 'dpo', 2],
  ['llama-adapter/original', 'dpo', 2],
  ['blip2/opt', 'dpo', 2],
])(
  '%s sees the image of a pair of %s once, with the same loss and gradients',
  async (name, method, images) => {
    const { model, store } = loadModel(fixture(name));
    const objective = objectiveNamed(method, { beta: 0.5 });
    const processor = model.processor();
    const samples = ['a', 'b'].map((path, i) => [
      row(processor, path, [3, 7, 2]),
      row(processor, path, [5, 9 + i, 6, 2]),
      ...objective.views.slice(2).map(() => row(processor, `part of ${path}`, [3, 7, 2])),
    ]);
    const options = {
      samples,
      plan: planBatches({ count: 2, batch: 2, seed: 0 }),
      accumulate: 1,
      lanes: 1 as const,
      padId: 0,
      processor,
      media: loader(processor),
      objective,
    };
    const [[batch]] = (await exampleSource(options).step(0)) as [
      [Awaited<ReturnType<ReturnType<typeof exampleSource>['step']>>[0][0]],
    ];
    if (!batch) throw new Error('a step has a batch');
    const views = objective.views.length;
    expect(batch.feeds.get('pixels')?.shape[0]).toBe(images * (views - 1));
    expect(batch.feeds.get('imagesShown')?.shape).toEqual([images * views]);
    const foretold = exampleSizes(options, 1).batches[0];
    expect(new Set(foretold?.feeds)).toEqual(new Set(batch.feeds.keys()));
    expect([foretold?.sizes.get('U'), foretold?.sizes.get('N')]).toEqual([images * (views - 1), images * views]);
    const gradients = allocateGradients(store, () => true);
    const reference = copyOf(store);
    const random = new Random(2, 'reference');
    for (const { data } of reference.tensors.values()) {
      for (let i = 0; i < data.length; i++) (data as Float32Array)[i] = (data[i] as number) + 0.02 * random.normal();
    }
    const trained = [...gradients.tensors.keys()];
    const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, reference, trained });
    const totals = { token: 1, sample: 2, batch: 1 };
    const once = await program.run(batch, totals, { into: gradients });
    const gradient = gradients.flat.slice();
    const each = await program.run({ ...batch, feeds: spread(batch.feeds) }, totals, { into: gradients });
    await program.dispose();
    expect(Math.abs(once.loss / each.loss - 1)).toBeLessThan(1e-6);
    expect(maxRelative(gradient, gradients.flat)).toBeLessThan(1e-5);
    expect(gradient.some((value) => Math.abs(value) > 1e-4)).toBe(true);
  },
  240_000,
);
