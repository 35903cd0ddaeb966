import { type Fault, int32, raise, type Tensor } from '../base/index.ts';
import type { GenerationProgram } from './program.ts';
import { groupByTokens, type Prompt, promptFaults, stackPrompts, withAnswer } from './prompt.ts';

export interface ScoreRequest extends Prompt {
  /** Places in `ids`, from 1 on, whose token is scored given everything before it. */
  readonly targets: ArrayLike<number>;
}

/** The request that scores a continuation of a prompt. */
export function continuation(prompt: Prompt, ids: ArrayLike<number>): ScoreRequest {
  const start = prompt.ids.length;
  const targets = Array.from(ids, (_, i) => start + i);
  return { ...withAnswer(prompt, ids), targets };
}

/**
 * Natural logarithms of the probabilities of given tokens, an array for each request. One forward pass without a cache.
 * @param options.tokens tokens read at a time, padding included; 8192 unless told
 */
export async function score(
  program: GenerationProgram,
  requests: readonly ScoreRequest[],
  options: { readonly tokens?: number; readonly signal?: AbortSignal } = {},
): Promise<Float32Array[]> {
  raise(requests.flatMap((request, i) => scoreFaults(program, request, `request ${i}`)));
  const scores: Float32Array[] = [];
  for (const group of groupByTokens(requests, options.tokens ?? 8192)) {
    scores.push(...(await scoreGroup(program, group, options.signal)));
  }
  return scores;
}

function scoreFaults({ model, processor }: GenerationProgram, request: ScoreRequest, path: string): Fault[] {
  const { ids, targets } = request;
  const { writer } = model;
  const faults = promptFaults({ ...writer, processor }, request, path);
  const fault = (code: string, message: string, expected: string, got: string) =>
    faults.push({ code, message, path, expected, got });
  const outside = Array.from(targets).find((t) => !Number.isInteger(t) || t < 1 || t >= ids.length);
  if (outside !== undefined) {
    fault('generate/target', 'a target is no place after the first', `1 to ${ids.length - 1}`, `${outside}`);
  }
  if (ids.length > writer.maxPositions) {
    const expected = `at most ${writer.maxPositions} tokens`;
    fault('generate/too-long', 'the text is longer than the model can read', expected, `${ids.length}`);
  }
  return faults;
}

async function scoreGroup(
  program: GenerationProgram,
  requests: readonly ScoreRequest[],
  signal: AbortSignal | undefined,
): Promise<Float32Array[]> {
  const prompts = stackPrompts(requests, program.processor);
  const ids = prompts.get('ids') as Tensor<'int32'>;
  const width = ids.shape[1] as number;
  const rows = requests.flatMap(({ targets }, b) => Array.from(targets, (t) => b * width + t - 1));
  if (rows.length === 0) return requests.map(() => new Float32Array());
  const values = new Map<string, Tensor>([
    ...prompts,
    ['targetRows', int32([rows.length], rows)],
    [
      'targetIds',
      int32(
        [rows.length],
        rows.map((row) => ids.data[row + 1] as number),
      ),
    ],
  ]);
  const session = await program.session('score', prompts.keys());
  const outputs = await session.run(program.feeds(session, values), signal && { signal });
  const all = (outputs.get('logProbs') as Tensor<'float32'>).data;
  let at = 0;
  return requests.map(({ targets }) => {
    const from = at;
    at += targets.length;
    return all.slice(from, at);
  });
}
