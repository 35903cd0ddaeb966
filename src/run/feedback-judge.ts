import { TesseraError } from '../base/index.ts';
import { type Judge, judgeInWords, openServer, type PairFolder, type SceneOf, sceneOracle } from '../feedback/index.ts';
import { createResponder, loadForGeneration } from '../generate/index.ts';
import { modelPlace } from '../models/index.ts';
import { type FeedbackPlan, type JudgePlan, locate } from '../recipe/index.ts';
import { openEngine } from '../runtime/index.ts';
import { modelInWords } from './feedback-model.ts';
import { modelName, weightsOf } from './feedback-weights.ts';
import type { Hooks } from './types.ts';

/** What a judge may be made of. */
export interface JudgeMeans {
  readonly set: PairFolder;
  readonly scenes: SceneOf;
  readonly hooks: Hooks;
}

/**
 * The judge that a plan names.
 * @throws TesseraError `feedback/no-key`
 */
export async function openJudge({ judge, seed }: FeedbackPlan, means: JudgeMeans): Promise<Judge> {
  if (judge.kind === 'oracle') return sceneOracle({ scenes: means.scenes, noise: judge.noise, seed });
  return judge.kind === 'model' ? modelJudge(judge, means) : serverJudge(judge, seed, means);
}

async function modelJudge(
  { from, adapter, max_tokens }: Extract<JudgePlan, { kind: 'model' }>,
  { hooks }: JudgeMeans,
): Promise<Judge> {
  const engine = await openEngine({ log: hooks.log });
  const parts = await loadForGeneration(locate(from), engine, { adapter: adapter && locate(adapter) });
  const name = modelName({ from, adapter });
  return judgeInWords(modelInWords(createResponder({ ...parts, name, batch: 16 }), max_tokens));
}

function serverJudge(judge: Extract<JudgePlan, { kind: 'http' }>, seed: number, { set, hooks }: JudgeMeans): Judge {
  const { url, model, max_tokens, calls, timeout, retries, concurrency } = judge;
  const server = openServer({
    url,
    model,
    key: keyOf(judge),
    seed,
    maxTokens: max_tokens,
    calls,
    timeout,
    retries,
    concurrency,
    transcripts: set.transcripts,
    onRetry: ({ message, got }, seconds) => {
      hooks.log.warn(`${message}${got === undefined ? '' : ` (${got})`}; the next try is in ${seconds.toFixed(1)} s`);
    },
  });
  return judgeInWords(server);
}

/** What of a judge makes a difference to what it says, and not only to how it is reached. */
export function judgeSettings(judge: JudgePlan): unknown {
  if (judge.kind === 'oracle') return judge;
  if (judge.kind === 'model')
    return { ...judge, weights: weightsOf(modelPlace(locate(judge.from), judge.adapter && locate(judge.adapter))) };
  const { kind, url, model, max_tokens } = judge;
  return { kind, url, model, max_tokens };
}

function keyOf({ key_env: name }: Extract<JudgePlan, { kind: 'http' }>): string | undefined {
  if (name === undefined) return undefined;
  const key = process.env[name]?.trim();
  if (key) return key;
  throw new TesseraError({
    code: 'feedback/no-key',
    message: 'the environment variable that is to hold the key of the judge is empty',
    path: 'feedback.judge.key_env',
    got: name,
    remedy: `set ${name}, or take key_env out for a server that wants no key`,
  });
}
