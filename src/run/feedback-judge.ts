import { type Judge, type PairFolder, type SceneOf, sceneOracle } from '../feedback/index.ts';
import type { FeedbackPlan } from '../recipe/index.ts';
import type { Engine } from '../runtime/index.ts';
import type { Hooks } from './types.ts';

/** What a judge may be made of. */
export interface JudgeMeans {
  readonly set: PairFolder;
  readonly scenes: SceneOf;
  readonly engine: Engine;
  readonly hooks: Hooks;
}

/** The judge that a plan names. */
export async function openJudge({ judge, seed }: FeedbackPlan, { scenes }: JudgeMeans): Promise<Judge> {
  return sceneOracle({ scenes, noise: judge.noise, seed });
}
