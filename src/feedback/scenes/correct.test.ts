import { describe, expect, it } from 'vitest';
import { Random } from '../../base/index.ts';
import type { Scene } from '../../world/index.ts';
import { detail } from '../../world/language/details.ts';
import { makeScene } from '../../world/scene.ts';
import { corrected, correctionsBetween } from '../corrections.ts';
import { correctAnswer } from './correct.ts';
import { readAnswer } from './statements.ts';

const scene: Scene = {
  image_id: 0,
  width: 64,
  height: 64,
  background: 'wooden',
  objects: [
    { id: 0, shape: 'ball', color: 'red', size: 'large', pattern: 'solid', bbox: [0, 24, 24, 48] },
    { id: 1, shape: 'cube', color: 'blue', size: 'small', pattern: 'solid', bbox: [48, 0, 60, 12] },
    { id: 2, shape: 'star', color: 'orange', size: 'small', pattern: 'dotted', bbox: [28, 44, 40, 56] },
  ],
};
const exact = (statement: { true: boolean }) => statement.true;
const right = (answer: string) => correctAnswer(answer, scene, exact);
const wrong = (answer: string, of = scene) => readAnswer(answer, of).statements.filter((s) => !s.true).length;

describe('what an answer says of a scene', () => {
  it.each([
    ['There is a red ball.', 0],
    ['There is a green ball.', 1],
    ['There is a green cup on the left.', 1],
    ['There is a red ball on the right.', 1],
    ['There is a red ball. There is a red ball.', 1],
    ['There is a red ball. The ball is large.', 0],
    ['There is a red ball. The ball is small.', 1],
    ['The image shows four objects on a white table.', 2],
    ['A green cup and a pink cone.', 2],
    ['There is no ball.', 1],
    ['The blue cube is to the left of the red ball.', 1],
    ['Hello.', 0],
  ])('%s has %d false statements', (answer, count) => {
    expect(wrong(answer)).toBe(count);
  });

  it('counts once what is said of a thing that is not there, in whatever sentence', () => {
    expect(wrong('There is a green cup. The green cup is to the left of the blue cube.')).toBe(1);
  });
});

describe('corrections', () => {
  it.each([
    ['There is a green ball on the left.', 'There is a red ball on the left.'],
    ['There is a red ball on the right.', 'There is a red ball on the left.'],
    ['There is a small blue ball at the top.', 'There is a small blue cube at the top.'],
    ['The image shows four objects on a white table.', 'The image shows three objects on a wooden table.'],
    ['A red ball and two blue cubes.', 'A red ball and one blue cube.'],
    ['The blue cube is to the left of the red ball.', 'The blue cube is to the right of the red ball.'],
    ['There is a blue star.', 'There is an orange star.'],
    ['There is an orange cube.', 'There is a blue cube.'],
    [
      'A red ball, a pink cup and a blue cube on a wooden table.',
      'A red ball, an orange star and a blue cube on a wooden table.',
    ],
    ['A red ball, an orange star, a pink cup and a blue cube.', 'A red ball, an orange star and a blue cube.'],
    [
      'There is a red ball. There is a blue cube. There is a star. There is a cup.',
      'There is a red ball. There is a blue cube. There is a star.',
    ],
    ['There is a red ball on the left.', 'There is a red ball on the left.'],
  ])('%s becomes %s', (answer, expected) => {
    expect(right(answer)).toBe(expected);
  });

  it('leave nothing wrong in descriptions of other scenes, nothing changed in true ones, and no object out', () => {
    let swapped = 0;
    for (let i = 0; i < 40; i++) {
      const [here, there] = [makeScene(3, 'train', i), makeScene(3, 'train', i + 1)];
      const random = new Random(1, 'descriptions', i);
      const [own, other] = [detail(here, random), detail(there, random)];
      expect(correctAnswer(own, here, exact)).toBe(own);
      const mended = correctAnswer(other, here, exact);
      expect(wrong(mended, here), `${other} → ${mended}`).toBe(0);
      expect(readAnswer(mended, here).covered).toBeGreaterThanOrEqual(readAnswer(other, here).covered);
      const corrections = correctionsBetween(other, mended);
      expect(corrected(other, corrections)).toBe(mended);
      swapped += Number(corrections.some(({ text }) => text !== ''));
    }
    expect(swapped).toBeGreaterThan(30);
  });
});
