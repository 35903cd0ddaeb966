import { dataTargets } from './data.ts';
import { judge } from './judge.ts';
import { modelTargets } from './models.ts';
import { headers, wholeFiles } from './safetensors.ts';
import type { Target } from './target.ts';
import { textTargets } from './texts.ts';

/** Every reader of files that others made. */
export const targets: readonly Target[] = [headers, wholeFiles, ...modelTargets, ...textTargets, ...dataTargets, judge];
