import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { rejectionOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { float32 } from '../base/index.ts';
import { imageName, readScenes, type Scene, writeWorld } from '../world/index.ts';
import type { Request, Responder } from './asking.ts';
import { evaluate } from './harness.ts';
import { nearest } from './shots.ts';
import { openTasks } from './tasks/catalog.ts';

const version = '0.0.0';
const folder = scratchFolder().path('world');
const scenes = new Map<string, Scene>();

beforeAll(async () => {
  await writeWorld(folder, { seed: 11, split: 'val', count: 250, tasks: ['vqa', 'new-words'] });
  for (const scene of await readScenes(folder)) scenes.set(imageName(scene), scene);
}, 60_000);

const kindsOf = (image = '') =>
  new Set(scenes.get(basename(image))?.objects.map(({ color, shape }) => `${color} ${shape}`));

/** Learns from the shots which word stands for what; without any it takes the first that is named. */
function learner({ image, prompt, shots = [] }: Request): string {
  const [, ...words] = /a (\w+) or a (\w+)/.exec(prompt) ?? [];
  const seen = kindsOf(image);
  const known = words.map((word) => {
    const own = shots.filter(({ answer }) => answer === word).map((shot) => kindsOf(shot.image));
    const others = shots.filter(({ answer }) => answer !== word).map((shot) => kindsOf(shot.image));
    const shared = [...(own[0] ?? [])].filter((kind) => own.every((kinds) => kinds.has(kind)));
    return shared.filter((kind) => others.every((kinds) => !kinds.has(kind))).some((kind) => seen.has(kind));
  });
  return words[known.indexOf(true)] ?? (words[0] as string);
}

/** Vectors that say which things an image holds. */
const vectors: NonNullable<Responder['vectors']> = async (images) => {
  const kinds = [...new Set([...scenes.keys()].flatMap((name) => [...kindsOf(name)]))];
  return new Map(
    images.map((image) => {
      const held = kindsOf(image);
      const length = Math.sqrt(held.size) || 1;
      return [
        image,
        float32(
          [kinds.length],
          kinds.map((kind) => Number(held.has(kind)) / length),
        ).data,
      ];
    }),
  );
};

function responder(answer: (request: Request) => string, asked: Request[] = []): Responder {
  return {
    name: 'learner',
    answer: async (requests) => {
      asked.push(...requests);
      return requests.map((request) => ({ text: answer(request) }));
    },
    vectors,
  };
}

const shots = { nearest: true };

describe('new words', () => {
  it('are learnt from the shots: accuracy rises with their number, and falls where their labels are shuffled', async () => {
    const tasks = openTasks(folder, ['new-words'], { shots });
    const { tasks: results } = await evaluate(responder(learner), tasks, { version, resamples: 50 });
    const groups = results[0]?.groups ?? {};
    const accuracy = (group: string) => groups[group]?.accuracy?.sighted.value as number;
    expect(Object.keys(groups)).toEqual([
      '0 shots',
      ...[2, 4, 8].flatMap((n) => [`${n} random`, `${n} similar`, `${n} shuffled labels`]),
    ]);
    expect(accuracy('0 shots')).toBeGreaterThan(0.4);
    expect(accuracy('0 shots')).toBeLessThan(0.6);
    expect(accuracy('4 random')).toBeGreaterThan(accuracy('2 random'));
    expect(accuracy('8 random')).toBeGreaterThan(0.97);
    expect(accuracy('8 random')).toBe(accuracy('8 similar'));
    for (const n of [2, 4, 8]) expect(accuracy(`${n} shuffled labels`)).toBeLessThan(0.6);
    expect(groups['8 random']?.accuracy?.blind?.value ?? 1).toBeLessThan(0.7);
    const [random] = results[0]?.curves?.series ?? [];
    expect(random).toEqual({
      name: 'random',
      points: [
        { at: 0, group: '0 shots' },
        { at: 2, group: '2 random' },
        { at: 4, group: '4 random' },
        { at: 8, group: '8 random' },
      ],
    });
  });
});

describe('few shots', () => {
  it('are other questions about other images, the same whoever is asked, and the most similar come last', async () => {
    const asked: Request[] = [];
    const tasks = () => openTasks(folder, ['few-shot'], { shots });
    await evaluate(
      responder(() => 'no', asked),
      tasks(),
      { version, resamples: 50, limit: 12, blind: false },
    );
    const counts = asked.map(({ shots = [] }) => shots.length);
    expect([...new Set(counts)].sort()).toEqual([0, 2, 4, 8]);
    expect(counts.filter((count) => count === 8)).toHaveLength(3 * counts.filter((count) => count === 0).length);
    for (const { image, shots = [] } of asked) {
      expect(shots.map((shot) => shot.image)).not.toContain(image);
      for (const shot of shots)
        expect(shot).toMatchObject({ prompt: expect.stringContaining('?'), answer: expect.any(String) });
    }
    const again: Request[] = [];
    await evaluate(
      responder(() => 'yes', again),
      tasks(),
      { version, resamples: 50, limit: 12, blind: false },
    );
    expect(again).toEqual(asked);
  });

  it('that are shuffled hold the answers of each other, none its own place', async () => {
    const asked: Request[] = [];
    await evaluate(
      responder(() => 'no', asked),
      openTasks(folder, ['few-shot']),
      { version, resamples: 50, limit: 5, blind: false },
    );
    const eight = asked.filter(({ shots = [] }) => shots.length === 8);
    const images = ({ shots = [] }: Request) => shots.map(({ image }) => image).join();
    const answers = ({ shots = [] }: Request) => shots.map(({ answer }) => answer);
    const twice = eight.flatMap((one, i) =>
      eight
        .slice(i + 1)
        .filter((two) => images(two) === images(one))
        .map((two) => [one, two]),
    );
    expect(twice.length).toBeGreaterThan(5);
    for (const [one, two] of twice as [Request, Request][]) {
      expect(answers(two)).not.toEqual(answers(one));
      expect(answers(two).sort()).toEqual(answers(one).sort());
    }
  });

  it('are chosen by likeness, the most like last, and never about the image itself', () => {
    const vector = (x: number, y: number) => Float32Array.of(x, y);
    const all = new Map([
      ['q', vector(1, 0)],
      ['near', vector(0.8, 0.6)],
      ['far', vector(0, 1)],
      ['same', vector(0.8, 0.6)],
    ]);
    const among = ['q', 'far', 'near', 'same'].map((image) => ({ image, prompt: 'p', answer: 'a' }));
    const chosen = (count: number) => nearest({ among, count }, 'q', all, 'q').map(({ image }) => image);
    expect(chosen(2)).toEqual(['same', 'near']);
    expect(chosen(8)).toEqual(['far', 'same', 'near']);
    expect(nearest({ among, count: 2 }, 'q', all, 'near').map(({ image }) => image)).toEqual(['far', 'same']);
  });

  it('by likeness ask for one who looks at images', async () => {
    const { vectors: _, ...blind } = responder(() => 'no');
    const fault = await rejectionOf(evaluate(blind, openTasks(folder, ['few-shot'], { shots }), { version, limit: 3 }));
    expect(fault).toMatchObject({ code: 'eval/responder' });
  });
});
