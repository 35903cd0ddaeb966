import type { Turn } from '../row.ts';
import type { Segment } from './segment.ts';

/** Takes supervision from answers that their rows switch off, and from what closes them. */
export function withoutUnlearned(segments: readonly Segment[], turns: readonly Turn[]): Segment[] {
  if (turns.every(({ learned }) => learned !== false)) return [...segments];
  return runsOf(segments).flatMap((run) => {
    const off = run.some(({ turn }) => turn !== undefined && turns[turn]?.learned === false);
    return off ? run.map((segment) => ({ ...segment, supervised: false })) : run;
  });
}

/** Neighbours that are supervised alike. */
function runsOf(segments: readonly Segment[]): Segment[][] {
  const runs: Segment[][] = [];
  for (const segment of segments) {
    const last = runs.at(-1);
    if (last?.[0]?.supervised === segment.supervised) last.push(segment);
    else runs.push([segment]);
  }
  return runs;
}
