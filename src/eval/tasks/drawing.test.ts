import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { readScenes, renderScene, type Scene, writeWorld } from '../../world/index.ts';
import type { Responder } from '../asking.ts';
import { evaluate } from '../harness.ts';
import { openTasks } from './catalog.ts';

const { path } = scratchFolder();
const folder = path('world');
let scenes: readonly Scene[];

beforeAll(async () => {
  await writeWorld(folder, { seed: 2, split: 'val', count: 24, tasks: ['drawing'] });
  scenes = await readScenes(folder);
}, 60_000);

const settings = { version: 'test', date: 'now', resamples: 20 };

/** Draws the scene of each prompt, or what is made of it; prompts come in the order of scenes. */
function painter(draw: (scene: Scene, shown: boolean) => Scene): Responder {
  let next = 0;
  return {
    name: 'painter',
    answer: async (requests) =>
      requests.map(({ draws, image, maxTokens }) => {
        expect([draws === 'image', maxTokens]).toEqual([image !== undefined, 0]);
        const scene = scenes[next++ % scenes.length] as Scene;
        const drawn = renderScene(draw(scene, image !== undefined));
        return { text: '', images: image === undefined ? [drawn] : [renderScene(scene), drawn] };
      }),
  };
}

async function scores(draw: Parameters<typeof painter>[0]) {
  const tasks = openTasks(folder, ['drawing', 'reconstruction']);
  const records: { task: string; correct: boolean; read: string; run: string }[] = [];
  const evaluation = await evaluate(painter(draw), tasks, { ...settings, onRecord: (record) => records.push(record) });
  const of = (task: string, metric: string, group = 'all') =>
    evaluation.tasks.find((result) => result.task === task)?.groups[group]?.[metric]?.sighted.value;
  return { records, of };
}

describe('the task drawing', () => {
  it('finds all that is drawn right, beside what chance would find', async () => {
    const { records, of } = await scores((scene) => scene);
    expect(records.every(({ correct, run }) => correct && run === 'sighted')).toBe(true);
    expect([of('drawing', 'right'), of('drawing', 'whole'), of('reconstruction', 'kept')]).toEqual([1, 1, 1]);
    expect(of('drawing', 'right', '2 things')).toBe(1);
    expect(of('drawing', 'chance')).toBeLessThan(0.3);
  });

  it('tells images without a thing, in other colours, and of nothing', async () => {
    const lacking = await scores((scene) => ({ ...scene, objects: scene.objects.slice(1) }));
    expect(lacking.records.some(({ correct }) => correct)).toBe(false);
    const things = scenes.reduce((n, { objects }) => n + objects.length, 0);
    for (const [task, name] of [
      ['drawing', 'right'],
      ['reconstruction', 'kept'],
    ] as const)
      expect(lacking.of(task, name)).toBeCloseTo((things - scenes.length) / things, 6);
    const bare = await scores((scene) => ({ ...scene, objects: [] }));
    expect(bare.records.every(({ read, correct }) => !correct && (read === '' || read.startsWith('nothing')))).toBe(
      true,
    );
  });

  it('says the truth by the names of a prompt', async () => {
    const [task] = openTasks(folder, ['drawing']);
    const items = await (task as { load(limit?: number): Promise<readonly { truth: string; image: string }[]> }).load(
      5,
    );
    expect(items).toHaveLength(5);
    for (const [i, { truth, image }] of items.entries()) {
      const scene = scenes[i] as Scene;
      expect(truth.split(', ').sort()).toEqual(scene.objects.map(({ color, shape }) => `${color} ${shape}`).sort());
      expect(image).toBe(join(folder, 'images', `${`${i}`.padStart(12, '0')}.png`));
    }
  });
});
