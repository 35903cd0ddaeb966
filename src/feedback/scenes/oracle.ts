import { Random } from '../../base/index.ts';
import type { Outcome } from '../../data/index.ts';
import type { Scene } from '../../world/index.ts';
import { correctionsBetween } from '../corrections.ts';
import type { Asked, AskedForCorrections, AskedForRatings, Correction, Judge, Ratings } from '../judge.ts';
import { type Belief, correctAnswer, wrongOf } from './correct.ts';
import { readAnswer } from './statements.ts';

/** The scene that an image shows; undefined where none is known. */
export type SceneOf = (image: string) => Scene | undefined;

export interface OracleOptions {
  readonly scenes: SceneOf;
  /** Probability that what is found of a statement is turned over. */
  readonly noise: number;
  readonly seed: number;
}

/**
 * A judge that reads descriptions and looks into the scene. Visual faithfulness is 5 less the false statements, helpfulness
 * 1 and 4 times the share of the objects that are named, rounded, and the ethical side is always 5.
 */
export function sceneOracle({ scenes, noise, seed }: OracleOptions): Judge {
  const believing = (image: string): Belief =>
    noise === 0
      ? ({ true: holds }) => holds
      : ({ start, end, true: holds }, answer) => {
          const said = answer.slice(start, end).toLowerCase();
          return holds !== new Random(seed, 'oracle', nameOf(image), said).chance(noise);
        };
  return {
    name: noise === 0 ? 'scene oracle' : `scene oracle with noise ${noise}`,
    rate: async (items) => items.map((item) => inScene(item, scenes, (scene) => rateAll(item, scene, believing))),
    correct: async (items) =>
      items.map((item) => inScene(item, scenes, (scene) => correctOne(item, scene, believing(item.image)))),
    close: async () => {},
  };
}

function inScene<T>({ id, image }: Asked, scenes: SceneOf, judge: (scene: Scene) => Outcome<T>): Outcome<T> {
  const scene = scenes(image);
  if (scene) return judge(scene);
  return {
    refused: {
      code: 'feedback/no-scene',
      message: 'the oracle knows no scene of this image',
      path: id,
      expected: 'an image of a tabletop world',
      got: image,
    },
  };
}

function rateAll(
  { id, image, answers }: AskedForRatings,
  scene: Scene,
  believing: (image: string) => Belief,
): Outcome<readonly Outcome<Ratings>[]> {
  return { kept: answers.map((answer) => rateOne(answer, id, scene, believing(image))) };
}

function rateOne(answer: string, id: string, scene: Scene, belief: Belief): Outcome<Ratings> {
  const reading = readAnswer(answer, scene);
  if (reading.statements.length === 0) return { refused: nothingSaid(id, answer) };
  const wrong = wrongOf(reading, answer, belief).length;
  return {
    kept: {
      helpfulness: Math.round(1 + (4 * reading.covered) / reading.objects),
      visual_faithfulness: Math.max(1, 5 - wrong),
      ethical_considerations: 5,
    },
  };
}

function correctOne({ id, answer }: AskedForCorrections, scene: Scene, belief: Belief): Outcome<readonly Correction[]> {
  if (readAnswer(answer, scene).statements.length === 0) return { refused: nothingSaid(id, answer) };
  return { kept: correctionsBetween(answer, correctAnswer(answer, scene, belief)) };
}

function nothingSaid(id: string, answer: string) {
  return {
    code: 'feedback/nothing-said',
    message: 'the answer says nothing that can be held against the scene',
    path: id,
    expected: 'a description of the image',
    got: JSON.stringify(answer.slice(0, 80)),
  };
}

/** The file alone, so that a folder that has moved changes no draw. */
function nameOf(image: string): string {
  return image.split(/[\\/]/).at(-1) as string;
}
