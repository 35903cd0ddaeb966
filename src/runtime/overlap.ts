import type { Engine } from './engine.ts';

/**
 * How many of `wanted` runs of one session go on at the same time, and the threads that the session gets for it: every
 * run under way brings the thread that calls it, and all of them share the session's others.
 */
export function overlap(engine: Engine, wanted: number): { readonly atOnce: number; readonly threads: number } {
  const atOnce = engine.canOverlap && engine.threads >= wanted ? wanted : 1;
  return { atOnce, threads: engine.threads - atOnce + 1 };
}
