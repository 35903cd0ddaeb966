import type { Engine } from '../../runtime/index.ts';
import type { Plan } from '../plan.ts';
import type { RunFolder } from './folder.ts';
import type { EvalResult, Hooks } from './types.ts';

export async function evaluateRun(_run: RunFolder, _plan: Plan, _engine: Engine, _hooks: Hooks): Promise<EvalResult> {
  throw new Error('not yet');
}
