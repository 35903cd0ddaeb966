import type { Tensor } from '../base/index.ts';
import { checkAttached } from './check.ts';
import type { BoundRun } from './engine.ts';
import { busy, checkSignal, disposed } from './faults.ts';

/** What a back end does for a bound run; called in a fit state only. */
interface Steps {
  run(signal: AbortSignal | undefined): Promise<void>;
  release(): void;
}

/** A bound run that keeps its tensors, refuses to run twice at a time and is released once. */
export function boundRun(
  name: string,
  feeds: ReadonlyMap<string, Tensor>,
  into: ReadonlyMap<string, Tensor>,
  steps: Steps,
): BoundRun {
  let state: 'idle' | 'running' | 'released' = 'idle';
  const enter = () => {
    if (state === 'running') throw busy(name);
    if (state === 'released') throw disposed(name);
    checkAttached(feeds, 'feed');
    checkAttached(into, 'target');
  };
  return {
    async run(signal) {
      enter();
      checkSignal(signal, name);
      state = 'running';
      try {
        await steps.run(signal);
      } finally {
        state = 'idle';
      }
    },
    release() {
      if (state === 'running') throw busy(name);
      if (state === 'released') return;
      state = 'released';
      steps.release();
    },
  };
}
