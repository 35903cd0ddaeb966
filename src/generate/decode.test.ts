import { afterAll, describe, expect, it } from 'vitest';
import { sharedEngine } from '../../test/support/evaluate.ts';
import {
  crossCases,
  decoderCases,
  guestCases,
  imageCases,
  queryCases,
  type ReferenceCase,
  referenceCase,
  sourceCases,
  tokenCases,
} from '../../test/support/model-cases.ts';
import { float32 } from '../base/index.ts';
import { createModel, type WriterModel } from '../models/index.ts';
import { initializeStore } from '../nn/index.ts';
import type { NodeBackend } from '../runtime/index.ts';
import { type GenerateOptions, type GenerationRequest, generate } from './decode.ts';
import { GenerationProgram } from './program.ts';
import type { PromptMedia } from './prompt.ts';
import { likeliest } from './sampling.ts';
import { continuation, score } from './score.ts';

const programs = new Map<string, Promise<Opened>>();
interface Opened extends ReferenceCase {
  readonly program: GenerationProgram;
}

function open(name: string, backend: NodeBackend = 'c-api'): Promise<Opened> {
  const key = `${name} ${backend}`;
  const make = async () => {
    const reference = referenceCase(name);
    return { ...reference, program: new GenerationProgram({ ...reference, engine: await sharedEngine(backend) }) };
  };
  const known = programs.get(key) ?? make();
  programs.set(key, known);
  return known;
}

const requestsOf = ({ greedy }: ReferenceCase, maxTokens = 12): GenerationRequest[] =>
  greedy.map(({ prompt }) => ({ ...prompt, maxTokens }));
const idsOf = async (opened: Opened, requests: readonly GenerationRequest[], options?: GenerateOptions) =>
  (await generate(opened.program, requests, options)).map(({ ids }) => ids);

afterAll(async () => {
  for (const opened of programs.values()) await (await opened).program.dispose();
});

describe.each<NodeBackend>(['c-api', 'binding'])('on the %s', (backend) => {
  it.each([...decoderCases, ...guestCases, ...sourceCases, ...imageCases, ...crossCases, ...queryCases, ...tokenCases])(
    '%s: greedy tokens are those of transformers, alone and together',
    async (name) => {
      const opened = await open(name, backend);
      const tokens = opened.greedy.map((entry) => entry.tokens);
      const requests = requestsOf(opened);
      expect(await idsOf(opened, requests)).toEqual(tokens);
      expect(await idsOf(opened, requests, { prefillTokens: 1 })).toEqual(tokens);
      for (const [i, request] of requests.entries()) expect(await idsOf(opened, [request])).toEqual([tokens[i]]);
    },
  );
});

it.each([
  'decoder/gqa',
  ...guestCases,
  ...sourceCases,
  ...crossCases,
  ...queryCases,
  ...tokenCases,
  'llava/v1.5-multi',
])('%s: the lowering for webgpu gives the same tokens', async (name) => {
  const reference = referenceCase(name);
  const engine = { ...(await sharedEngine()), target: 'webgpu' as const };
  const program = new GenerationProgram({ ...reference, engine });
  const answers = await generate(program, requestsOf(reference));
  expect(answers.map(({ ids }) => ids)).toEqual(reference.greedy.map(({ tokens }) => tokens));
  await program.dispose();
});

it('what is kept of a source is made with the prompt, and read by every step', async () => {
  const { program, greedy } = await open('encoder-decoder/t5');
  const { prompt, tokens } = greedy[0] as (typeof greedy)[number];
  const reads = await program.session('decode', ['ids', 'sourceIds', 'sourceLengths']);
  const step = await program.session('decode');
  const names = (ports: readonly { readonly name: string }[]) => ports.map(({ name }) => name);
  expect(names(reads.outputs)).toContain('present.cross.key.1');
  expect(names(reads.inputs)).not.toContain('cache.cross.key.1');
  expect(names(step.inputs)).toContain('cache.cross.key.1');
  expect(names(step.inputs)).not.toContain('sourceIds');
  expect(names(step.outputs)).not.toContain('present.cross.key.1');
  const [own, other] = await score(program, [
    continuation(prompt, tokens),
    continuation(
      prompt,
      tokens.map((id) => (id + 1) % 59),
    ),
  ]);
  const sum = (values: Float32Array | undefined) => [...(values ?? [])].reduce((a, b) => a + b, 0);
  expect(sum(own)).toBeGreaterThan(sum(other));
});

it('heads that need no widening: a greedy token is the likeliest of a pass without a cache', async () => {
  const json = { model_type: 'llama', vocab_size: 40, hidden_size: 64, intermediate_size: 48, num_hidden_layers: 2 };
  const heads = { num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64, initializer_range: 0.3 };
  const { model, store } = createModel({ ...json, ...heads });
  initializeStore(store, 3);
  expect((model as WriterModel).writer.state['key.0']).toEqual(['B', 2, 'C', 16]);
  const program = new GenerationProgram({ engine: await sharedEngine(), model: model as WriterModel, store });
  const [answer] = await generate(program, [{ ids: [1, 5, 9], maxTokens: 12 }]);
  for (const [t, id] of (answer?.ids ?? []).entries()) {
    const before = { ids: [1, 5, 9, ...(answer?.ids.slice(0, t) ?? [])] };
    const all = await score(
      program,
      Array.from({ length: 40 }, (_, other) => continuation(before, [other])),
    );
    expect(likeliest(Float32Array.from(all, ([value]) => value as number))).toBe(id);
  }
  await program.dispose();
});

describe('a batch', () => {
  it('lets rows of different length leave at different times and changes no other row', async () => {
    const opened = await open('llava/v1.5-multi');
    const lengths = [3, 12, 1, 7];
    const requests = requestsOf(opened).map((request, i) => ({ ...request, maxTokens: lengths[i] as number }));
    const expected = opened.greedy.map(({ tokens }, i) => tokens.slice(0, lengths[i]));
    const answers = await generate(opened.program, [...requests, ...requests.toReversed()]);
    expect(answers.map(({ ids }) => ids)).toEqual([...expected, ...expected.toReversed()]);
    expect(new Set(answers.map(({ finish }) => finish))).toEqual(new Set(['length']));
    expect(answers.map(({ promptTokens }) => promptTokens).slice(0, 4)).toEqual(requests.map(({ ids }) => ids.length));
  });

  it('does not depend on how much is padded, in the prompt or in the cache', async () => {
    const opened = await open('decoder/gqa');
    const [short] = requestsOf(opened);
    const long = { ids: Array.from({ length: 40 }, (_, i) => (i * 7) % 60), maxTokens: 20 };
    const [first] = await idsOf(opened, [short as GenerationRequest, long]);
    expect(first).toEqual(opened.greedy[0]?.tokens);
  });

  it('needs no new session for another batch size, length or capacity', async () => {
    const opened = await open('llava/v1.5-multi');
    const engine = await sharedEngine();
    await idsOf(opened, requestsOf(opened));
    const { sessionsBuilt, nativeHandles } = engine.ledger.snapshot();
    for (const maxTokens of [2, 20, 70]) await idsOf(opened, requestsOf(opened, maxTokens).slice(0, 3));
    expect(engine.ledger.snapshot()).toMatchObject({ sessionsBuilt, nativeHandles });
  });

  it('takes no requests as well', async () => {
    expect(await generate((await open('decoder/mha')).program, [])).toEqual([]);
  });
});

describe('the end of an answer', () => {
  it('is a stop token, which counts and which ends its row alone', async () => {
    const opened = await open('decoder/mha');
    const [first, second] = opened.greedy.map(({ tokens }) => tokens) as [number[], number[]];
    const stop = first[3] as number;
    const cut = (tokens: number[]) => (tokens.includes(stop) ? tokens.slice(0, tokens.indexOf(stop) + 1) : tokens);
    const answers = await generate(opened.program, requestsOf(opened).slice(0, 2), { stopIds: [stop] });
    expect(answers.map(({ ids }) => ids)).toEqual([cut(first), cut(second)]);
    expect(answers[0]?.finish).toBe('stop');
  });

  it('comes within one token of a signal', async () => {
    const opened = await open('decoder/mha');
    const stopper = new AbortController();
    const seen: number[] = [];
    const onToken = (request: number, id: number) => {
      if (request !== 0) return;
      seen.push(id);
      if (seen.length === 3) stopper.abort();
    };
    const answers = await generate(opened.program, requestsOf(opened), { signal: stopper.signal, onToken });
    expect(answers[0]).toMatchObject({ ids: opened.greedy[0]?.tokens.slice(0, 3), finish: 'cancelled' });
    expect(answers.map(({ ids }) => ids.length)).toEqual([3, 3, 3]);
  });

  it('comes before the first token when the signal is older', async () => {
    const opened = await open('decoder/mha');
    const answers = await generate(opened.program, requestsOf(opened), { signal: AbortSignal.abort() });
    expect(answers.map(({ ids, finish }) => [ids.length, finish])).toEqual(Array(3).fill([0, 'cancelled']));
  });

  it('by a fault of the caller leaves nothing running and the program usable', async () => {
    const opened = await open('decoder/mha');
    const { nativeHandles } = (await sharedEngine()).ledger.snapshot();
    const onToken = () => {
      throw new Error('the listener broke');
    };
    await expect(generate(opened.program, requestsOf(opened), { onToken })).rejects.toThrow('the listener broke');
    expect((await sharedEngine()).ledger.snapshot().nativeHandles).toBe(nativeHandles);
    expect(await idsOf(opened, requestsOf(opened))).toEqual(opened.greedy.map(({ tokens }) => tokens));
  });
});

describe('draws', () => {
  const sampling = { temperature: 1.5, topK: 20, topP: 0.95, seed: 7 };

  it('depend on the seed and the row, not on the batch', async () => {
    const opened = await open('decoder/mha');
    const requests = requestsOf(opened, 20);
    const together = await idsOf(opened, requests, { sampling });
    const alone = await idsOf(opened, [{ ...(requests[2] as GenerationRequest), stream: 2 }], { sampling });
    expect(alone[0]).toEqual(together[2]);
    expect(await idsOf(opened, requests, { sampling })).toEqual(together);
    expect(await idsOf(opened, requests, { sampling: { ...sampling, seed: 8 } })).not.toEqual(together);
    const twins = await idsOf(opened, [requests[0], requests[0]] as GenerationRequest[], { sampling });
    expect(twins[0]).not.toEqual(twins[1]);
  });

  it('are the greedy tokens when only the likeliest may come', async () => {
    const opened = await open('decoder/mha');
    const greedy = opened.greedy.map(({ tokens }) => tokens);
    expect(await idsOf(opened, requestsOf(opened), { sampling: { temperature: 1, topK: 1 } })).toEqual(greedy);
    expect(await idsOf(opened, requestsOf(opened), { sampling: { temperature: 1, topP: 1e-6 } })).toEqual(greedy);
  });
});

describe('faults', () => {
  it('reports every request that cannot be answered at once', async () => {
    const opened = await open('llava/v1.5-multi');
    const [good] = requestsOf(opened) as [GenerationRequest];
    const [image] = good.media as [PromptMedia];
    const bad: GenerationRequest[] = [
      { ...good, maxTokens: 128 },
      { ids: [], maxTokens: 1 },
      { ids: [1, 72], maxTokens: 0 },
      { ...good, media: [{ ...image, start: -1 }], maxTokens: 1 },
      { ...good, media: [{ ...image, values: { pixels: float32([1, 3, 2, 2], new Float32Array(12)) } }], maxTokens: 1 },
    ];
    const error = await generate(opened.program, bad).catch((e) => e);
    const faults = [error, ...error.others].map(({ code, path, message }) => `${path} ${code}: ${message}`);
    expect(faults).toMatchInlineSnapshot(`
      [
        "request 0 generate/too-long: prompt and answer together are longer than the model can read",
        "request 1 generate/prompt: the prompt is empty",
        "request 2 generate/prompt: the vocabulary has no such id",
        "request 2 generate/prompt: the longest answer is no positive integer",
        "request 3 generate/prompt: an image stands outside the prompt",
        "request 4 generate/prompt: an image is not prepared for the model",
      ]
    `);
  });

  it('tells how long prompt and answer are', async () => {
    const { program } = await open('decoder/mha');
    await expect(generate(program, [{ ids: [1, 2, 3], maxTokens: 62 }])).rejects.toMatchObject({
      code: 'generate/too-long',
      path: 'request 0',
      expected: 'at most 64 tokens',
      got: '3 of the prompt and up to 62 of the answer',
    });
    expect((await generate(program, [{ ids: [1, 2, 3], maxTokens: 61 }]))[0]?.ids).toHaveLength(61);
  });

  it('refuses images that a text model cannot see', async () => {
    const { program } = await open('decoder/mha');
    const { greedy } = await open('llava/v1.5');
    await expect(
      generate(program, [{ ...(greedy[0] as ReferenceCase['greedy'][number]).prompt, maxTokens: 1 }]),
    ).rejects.toMatchObject({
      code: 'generate/prompt',
    });
  });

  it('says that a model has diverged', async () => {
    const reference = referenceCase('decoder/mha');
    for (const { data } of reference.store.tensors.values()) data[0] = Number.NaN;
    const program = new GenerationProgram({ ...reference, engine: await sharedEngine() });
    await expect(generate(program, [{ ids: [0], maxTokens: 2 }])).rejects.toMatchObject({
      code: 'generate/not-finite',
    });
    await program.dispose();
  });
});
