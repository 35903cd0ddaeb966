import { TesseraError } from '../base/index.ts';
import { type Judge, judgeInWords, openServer, type PairFolder, type SceneOf, sceneOracle } from '../feedback/index.ts';
import type { FeedbackPlan, JudgePlan } from '../recipe/index.ts';
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
export async function openJudge({ judge, seed }: FeedbackPlan, { scenes, set, hooks }: JudgeMeans): Promise<Judge> {
  if (judge.kind === 'oracle') return sceneOracle({ scenes, noise: judge.noise, seed });
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
