import { type Fault, int32, raise, type Tensor, TesseraError, tensor } from '../base/index.ts';
import type { Tokenizer } from '../data/index.ts';
import type { Writer } from '../models/index.ts';
import type { BoundRun, Session } from '../runtime/index.ts';
import { sortStops } from './answer-text.ts';
import type { GenerationProgram } from './program.ts';
import { groupByTokens, type Prompt, promptFaults, stackPrompts, textSizes } from './prompt.ts';
import { type Generated, Row } from './row.ts';
import { picker, type Sampling } from './sampling.ts';
import type { StateMemory, StateSizes } from './state.ts';
import { type Guide, lastPositionOf, openStreams, type Stream } from './streams.ts';

export interface GenerationRequest extends Prompt {
  /** Longest answer, a closing token included. */
  readonly maxTokens: number;
  /** Numbers the stream of random draws; the place in the list unless told. */
  readonly stream?: number;
  /** Ids that must not come behind so many tokens of the answer; those that no text has unless told. */
  readonly never?: (taken: number) => readonly number[];
  /** Prompts that are read beside this one: tokens are drawn from the weighted sum of logits (classifier-free guidance). */
  readonly guides?: readonly Guide[];
}

export interface GenerateOptions {
  readonly sampling?: Sampling;
  /** Tokens that end an answer. */
  readonly stopIds?: Iterable<number>;
  /** Texts before which an answer is cut; they need a tokenizer. */
  readonly stop?: readonly string[];
  /** Turns answers into text. */
  readonly tokenizer?: Tokenizer;
  /** Ends every answer within one token; what there is so far is the result. */
  readonly signal?: AbortSignal;
  readonly onToken?: (request: number, id: number) => void;
  /** Text as it becomes certain: whole characters, and nothing that a stop string may still cut off. */
  readonly onText?: (request: number, text: string) => void;
  /** Prompt tokens read at a time, padding included; 8192 unless told. It changes memory and speed, no answer. */
  readonly prefillTokens?: number;
}

/**
 * Answers requests together, each as it would be answered alone.
 * @throws TesseraError `generate/prompt`, `generate/too-long`, `generate/sampling`, `generate/stop`, all faults of the
 * requests at once; `generate/not-finite` when the model breaks down.
 * @example const [answer] = await generate(program, [{ ids: [1, 5, 9], maxTokens: 12 }]);
 */
export async function generate(
  program: GenerationProgram,
  requests: readonly GenerationRequest[],
  options: GenerateOptions = {},
): Promise<Generated[]> {
  raise(requestFaults(program, requests));
  if (requests.length === 0) return [];
  const rows = openRows(program, requests, options);
  const streams = openStreams(requests, rows);
  const state = program.openState(streams.length, sizesFor(program, streams));
  const { signal } = options;
  try {
    await prefill(program, streams, state, options);
    await decode(program, streams, state, signal);
  } catch (error) {
    if (!(error instanceof TesseraError) || error.code !== 'runtime/cancelled') throw error;
  } finally {
    program.giveBack(state);
  }
  for (const row of rows) if (!row.finished) row.finish('cancelled');
  return rows.map((row) => row.result());
}

function openRows(
  { model }: GenerationProgram,
  requests: readonly GenerationRequest[],
  options: GenerateOptions,
): Row[] {
  const { sampling = {}, tokenizer, onToken, onText } = options;
  const stops = sortStops(options.stopIds ?? [], options.stop ?? [], tokenizer);
  return requests.map(
    ({ ids, maxTokens, stream, never, guides = [] }, i) =>
      new Row({
        promptTokens: ids.length,
        maxTokens,
        pick: picker(sampling, stream ?? i),
        never: never ?? (() => model.writer.unwritten ?? []),
        streams: 1 + guides.length,
        stops,
        tokenizer,
        onToken: (id) => onToken?.(i, id),
        onText: (text) => onText?.(i, text),
      }),
  );
}

function requestFaults(
  { model: { writer }, processor }: GenerationProgram,
  requests: readonly GenerationRequest[],
): Fault[] {
  return requests.flatMap((request, i) => {
    const guides = (request.guides ?? []).map((guide) => ({ ...guide, maxTokens: request.maxTokens }));
    return [request, ...guides].flatMap((asked, k) => {
      const path = k === 0 ? `request ${i}` : `request ${i}, guide ${k}`;
      return [...promptFaults({ ...writer, processor }, asked, path), ...lengthFaults(writer, asked, path)];
    });
  });
}

type Limits = Pick<Writer, 'maxPositions'>;

function lengthFaults(model: Limits, { ids, maxTokens }: GenerationRequest, path: string): Fault[] {
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    const message = 'the longest answer is no positive integer';
    return [{ code: 'generate/prompt', message, path, expected: 'at least 1 token', got: `${maxTokens}` }];
  }
  if (ids.length + maxTokens <= model.maxPositions) return [];
  return [
    {
      code: 'generate/too-long',
      message: 'prompt and answer together are longer than the model can read',
      path,
      expected: `at most ${model.maxPositions} tokens`,
      got: `${ids.length} of the prompt and up to ${maxTokens} of the answer`,
      remedy: 'ask for a shorter answer, or shorten the prompt',
    },
  ];
}

/**
 * Positions `C` for the longest request, in steps of 32 so that the memory of one state serves the next, and the length of
 * every other text that the model keeps something of.
 */
function sizesFor({ model, processor }: GenerationProgram, streams: readonly Stream[]): StateSizes {
  const longest = Math.max(...streams.map((stream) => stream.longest));
  const capacity = Math.min(Math.ceil(longest / 32) * 32, model.writer.maxPositions);
  return new Map([...textSizes(streams, processor), ['C', capacity]]);
}

/** Reads the prompts into the state and gives each row its first token. */
async function prefill(
  program: GenerationProgram,
  streams: readonly Stream[],
  state: StateMemory,
  { prefillTokens = 8192, signal }: GenerateOptions,
): Promise<void> {
  let from = 0;
  for (const group of groupByTokens(streams, prefillTokens)) {
    const prompts = stackPrompts(group, program.processor, state.sizes);
    const lengths = group.map(({ ids }) => ids.length);
    const [count, width] = (prompts.get('ids') as Tensor).shape as [number, number];
    const session = await program.session('decode', prompts.keys());
    const { feeds, into } = state.tensors(from, count, session);
    const logits = tensor(
      'float32',
      [count, program.model.writer.vocabSize],
      new Float32Array(count * program.model.writer.vocabSize),
    );
    const values = new Map<string, Tensor>([
      ...prompts,
      [
        'lastRows',
        int32(
          [count],
          lengths.map((length, b) => b * width + length - 1),
        ),
      ],
      [
        'lastPosition',
        int32(
          [count],
          lengths.map((length) => length - 1),
        ),
      ],
      ['total', int32([], [width])],
      ...feeds,
    ]);
    const targets = new Map<string, Tensor>([['logits', logits], ...into]);
    await session.run(program.feeds(session, values), {
      into: targets,
      fetch: [],
      ...(signal && { signal }),
    });
    takeLogits(group, logits.data);
    from += count;
  }
}

function takeLogits(streams: readonly Stream[], logits: Float32Array): void {
  const size = logits.length / streams.length;
  streams.forEach(({ row, weight }, i) => {
    row.hear(logits.subarray(i * size, (i + 1) * size), weight);
  });
}

/** Adds a token to every row until all have ended. The streams of rows that have ended leave the batch. */
async function decode(
  program: GenerationProgram,
  streams: readonly Stream[],
  state: StateMemory,
  signal: AbortSignal | undefined,
): Promise<void> {
  let slots = compact([...streams], state);
  if (slots.length === 0) return;
  const session = await program.session('decode');
  while (slots.length > 0) {
    const step = bindStep(program, session, state, slots.length);
    try {
      while (slots.every(({ row }) => !row.finished)) takeLogits(slots, await step.run(slots, signal));
    } finally {
      step.release();
    }
    slots = compact(slots, state);
  }
}

/** The streams still under way; rows of the state move from the end into the gaps. */
function compact(slots: Stream[], state: StateMemory): Stream[] {
  for (let i = 0; i < slots.length; i++) {
    while (slots.at(-1)?.row.finished) slots.pop();
    if (i >= slots.length || !slots[i]?.row.finished) continue;
    state.move(slots.length - 1, i);
    slots[i] = slots.pop() as Stream;
  }
  return slots;
}

interface Step {
  /** Logits `[B, V]` after the last token of each stream. */
  run(streams: readonly Stream[], signal: AbortSignal | undefined): Promise<Float32Array>;
  release(): void;
}

function bindStep(program: GenerationProgram, session: Session, state: StateMemory, count: number): Step {
  const ids = int32([count, 1], new Int32Array(count));
  const lastPosition = int32([count], new Int32Array(count));
  const total = int32([], [0]);
  const logits = tensor(
    'float32',
    [count, program.model.writer.vocabSize],
    new Float32Array(count * program.model.writer.vocabSize),
  );
  const { feeds, into } = state.tensors(0, count, session);
  const lastRows = int32([count], [...Array(count).keys()]);
  const values = new Map<string, Tensor>([
    ['ids', ids],
    ['lastRows', lastRows],
    ['lastPosition', lastPosition],
    ['total', total],
    ...feeds,
  ]);
  const bound: BoundRun = session.bind(
    program.feeds(session, values),
    new Map<string, Tensor>([['logits', logits], ...into]),
  );
  return {
    async run(streams, signal) {
      streams.forEach((stream, i) => {
        // The token to read is the last of those produced.
        ids.data[i] = stream.row.ids.at(-1) as number;
        lastPosition.data[i] = lastPositionOf(stream);
      });
      total.data[0] = Math.max(...lastPosition.data) + 1;
      await bound.run(signal);
      return logits.data;
    },
    release: () => bound.release(),
  };
}
