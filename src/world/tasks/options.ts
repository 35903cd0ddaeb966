import type { Fault } from '../../base/index.ts';
import { raise } from '../../base/index.ts';
import type { ConversationOptions, InstructionKind } from '../language/conversation.ts';
import { defaultConversationOptions } from '../language/conversation.ts';
import { grid } from '../layout.ts';
import type { SceneOptions } from '../scene.ts';
import { defaultSceneOptions, splits } from '../scene.ts';
import { type WorldTask, worldTasks } from './table.ts';
import type { WorldSettings } from './writer.ts';

export interface WorldOptions extends WorldSettings {
  readonly tasks: readonly WorldTask[];
}

const defaults: Omit<WorldOptions, 'seed' | 'split' | 'count'> = {
  size: 64,
  tasks: worldTasks,
  scene: defaultSceneOptions,
  captionsPerImage: 3,
  altTextNoise: 0.15,
  instructions: { conversation: 1, detail: 0.35, reasoning: 0.35 },
  conversation: defaultConversationOptions,
  questionsPerImage: 3,
  annotatorNoise: 0,
  popeImages: 500,
};

/** What a caller gives; the rest has defaults. */
export type WorldRequest = Pick<WorldOptions, 'seed' | 'split' | 'count'> &
  Partial<Omit<WorldOptions, 'scene' | 'instructions' | 'conversation'>> & {
    readonly scene?: Partial<SceneOptions>;
    readonly instructions?: Partial<Record<InstructionKind, number>>;
    readonly conversation?: Partial<ConversationOptions>;
  };

/**
 * The request with its defaults filled in.
 * @throws TesseraError `world/option`, all faults at once
 */
export function worldOptions(request: WorldRequest): WorldOptions {
  const options = {
    ...defaults,
    ...request,
    scene: { ...defaults.scene, ...request.scene },
    instructions: { ...defaults.instructions, ...request.instructions },
    conversation: { ...defaults.conversation, ...request.conversation },
  };
  // One order, so that equal requests are written as equal text.
  const tasks = worldTasks.filter((task) => options.tasks.includes(task));
  raise(faults(options));
  return { ...options, tasks };
}

function faults(o: WorldOptions): Fault[] {
  const found: Fault[] = [];
  const need = (ok: boolean, path: string, expected: string, got: unknown): void => {
    if (!ok) found.push({ code: 'world/option', message: `${path} is out of range`, path, expected, got: `${got}` });
  };
  const whole = (path: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void => {
    const expected =
      most < Number.MAX_SAFE_INTEGER
        ? `a whole number from ${least} to ${most}`
        : `a whole number of at least ${least}`;
    need(Number.isInteger(value) && value >= least && value <= most, path, expected, value);
  };
  const share = (path: string, value: number): void =>
    need(value >= 0 && value <= 1, path, 'a number from 0 to 1', value);
  const range = (path: string, [low, high]: readonly [number, number]): void => {
    whole(`${path}.0`, low, 1);
    whole(`${path}.1`, high, Math.max(1, low));
  };
  need(Number.isInteger(o.seed), 'seed', 'a whole number', o.seed);
  need(splits.includes(o.split), 'split', splits.join(', '), o.split);
  for (const task of o.tasks) need(worldTasks.includes(task), 'tasks', worldTasks.join(', '), task);
  whole('count', o.count, 1);
  whole('size', o.size, grid);
  range('scene.objects', o.scene.objects);
  whole('scene.clutter', o.scene.clutter, 0);
  whole('scene.snap', o.scene.snap, 1, 8);
  for (const key of ['bias', 'occlusion', 'letters'] as const) share(`scene.${key}`, o.scene[key]);
  whole('captionsPerImage', o.captionsPerImage, 1);
  share('altTextNoise', o.altTextNoise);
  for (const [kind, value] of Object.entries(o.instructions)) share(`instructions.${kind}`, value);
  range('conversation.turns', o.conversation.turns);
  share('conversation.shortAnswers', o.conversation.shortAnswers);
  share('conversation.cooccurrence', o.conversation.cooccurrence ?? 0);
  whole('questionsPerImage', o.questionsPerImage, 1, 999);
  whole('annotatorNoise', o.annotatorNoise, 0, 10);
  whole('popeImages', o.popeImages, 1);
  return found;
}
