import { describe, expect, it } from 'vitest';
import { Random } from '../../base/index.ts';
import type { Scene } from '../../world/index.ts';
import { detail } from '../../world/language/details.ts';
import { makeScene } from '../../world/scene.ts';
import { corrected } from '../corrections.ts';
import { sceneOracle } from './oracle.ts';

const signal = new AbortController().signal;
const scene: Scene = {
  image_id: 0,
  width: 64,
  height: 64,
  background: 'white',
  objects: [
    { id: 0, shape: 'ball', color: 'red', size: 'large', pattern: 'solid', bbox: [0, 24, 24, 48] },
    { id: 1, shape: 'cube', color: 'blue', size: 'small', pattern: 'solid', bbox: [48, 0, 60, 12] },
  ],
};
const scenes = (image: string) => (image === 'a.png' ? scene : undefined);
const asked = { id: '1', image: 'a.png', question: 'Describe the image in detail.' };

describe('the scene oracle', () => {
  const judge = sceneOracle({ scenes, noise: 0, seed: 0 });

  it('takes a point for every false statement and gives four for all objects', async () => {
    const answers = [
      'A red ball and a blue cube.',
      'A red ball.',
      'A red ball and a green cup.',
      'A green cup, a pink cup, a pink moon, a black ring, a black star and a black cone.',
      'Nice.',
    ];
    const [rated] = await judge.rate([{ ...asked, answers }], signal);
    const marks = rated && 'kept' in rated ? rated.kept : [];
    expect(
      marks.map((one) => ('kept' in one ? [one.kept.helpfulness, one.kept.visual_faithfulness] : one.refused.code)),
    ).toEqual([[5, 5], [3, 5], [3, 4], [1, 1], 'feedback/nothing-said']);
  });

  it('refuses an image that it has no scene of', async () => {
    const item = { ...asked, image: 'b.png' };
    expect(await judge.rate([{ ...item, answers: ['A ball.'] }], signal)).toMatchObject([
      { refused: { code: 'feedback/no-scene' } },
    ]);
    expect(await judge.correct([{ ...item, answer: 'A ball.' }], signal)).toMatchObject([
      { refused: { code: 'feedback/no-scene' } },
    ]);
  });

  it('corrects the words that are wrong and no others', async () => {
    const answer = 'There is a red ball on the right. There is a blue cube.';
    const [found] = await judge.correct([{ ...asked, answer }], signal);
    expect(found).toEqual({ kept: [{ start: 27, end: 32, text: 'left' }] });
    expect(answer.slice(27, 32)).toBe('right');
    expect(corrected(answer, [{ start: 27, end: 32, text: 'left' }])).toContain('on the left.');
  });
});

describe('an oracle with noise', () => {
  /** The share of true descriptions' statements that an oracle takes points for. */
  async function doubted(noise: number, seed: number) {
    const all = Array.from({ length: 150 }, (_, i) => makeScene(5, 'train', i));
    const judge = sceneOracle({ scenes: (image) => all[Number(image)], noise, seed });
    const items = all.map((one, i) => ({
      ...asked,
      image: `${i}`,
      answers: [detail(one, new Random(2, 'noise', i)).split('. ')[1] as string],
    }));
    const rated = await judge.rate(items, signal);
    return rated.map((one) => ('kept' in one && one.kept[0] && 'kept' in one.kept[0] ? one.kept[0].kept : {}));
  }

  it('turns over as many findings as it is told to, the same each time', async () => {
    const [none, some, same, others] = await Promise.all([
      doubted(0, 0),
      doubted(0.2, 0),
      doubted(0.2, 0),
      doubted(0.2, 1),
    ]);
    expect(none.every(({ visual_faithfulness }) => visual_faithfulness === 5)).toBe(true);
    expect(some).toEqual(same);
    expect(some).not.toEqual(others);
    const faulted = some.reduce((n, { visual_faithfulness = 5 }) => n + 5 - visual_faithfulness, 0);
    // One or two statements a sentence, each doubted with probability 0.2.
    expect(faulted / 150).toBeGreaterThan(0.2);
    expect(faulted / 150).toBeLessThan(0.55);
  });

  it('overlooks some of what is wrong', async () => {
    const judge = sceneOracle({ scenes: () => scene, noise: 0.5, seed: 3 });
    const items = Array.from({ length: 60 }, (_, i) => ({
      ...asked,
      image: `${i}.png`,
      answer: 'There is a green cup.',
    }));
    const found = await judge.correct(items, signal);
    const left = found.filter((one) => 'kept' in one && one.kept.length === 0).length;
    expect(left).toBeGreaterThan(18);
    expect(left).toBeLessThan(42);
  });
});
