import { describe, expect, it } from 'vitest';
import { Random } from '../../base/index.ts';
import type { PopeQuestion } from './pope.ts';
import { popeQuestions, popeSplits, popeText, selectPopeImages } from './pope.ts';

const images = [
  'I1 cat mat cup',
  'I2 cat bed cup',
  'I3 dog ball cup',
  'I4 dog ball mat',
  'I5 cat cup bed',
  'I6 dog bone ball',
  'I7 dog bone mat',
].map((row) => {
  const [image, ...objects] = row.split(' ') as [string, ...string[]];
  return { image, objects };
});

const asked = (questions: readonly PopeQuestion[], image: string, label: string): (string | undefined)[] =>
  questions.filter((q) => q.image === image && q.label === label).map((q) => /an? (\w+) in/.exec(q.text)?.[1]);

describe('popeQuestions', () => {
  it('chooses popular and adversarial negatives as the published sampler does', () => {
    const popular = popeQuestions(images, 'popular', new Random(0));
    const adversarial = popeQuestions(images, 'adversarial', new Random(0));
    expect(asked(popular, 'I4', 'yes')).toEqual(['dog', 'ball', 'mat']);
    expect(asked(popular, 'I4', 'no')).toEqual(['cup', 'cat', 'bed']);
    expect(asked(adversarial, 'I4', 'no')).toEqual(['bone', 'cup', 'cat']);
  });

  it('asks yes, no, yes, no, yes, no of every image, never about a present or used object', () => {
    for (const split of popeSplits) {
      const questions = popeQuestions(images, split, new Random(3));
      expect(questions.map((q) => q.question_id)).toEqual(Array.from({ length: 42 }, (_, i) => i + 1));
      expect(questions.map((q) => q.label)).toEqual(Array.from({ length: 42 }, (_, i) => (i % 2 ? 'no' : 'yes')));
      for (const { image, objects } of images) {
        const absent = asked(questions, image, 'no');
        expect(new Set(absent).size).toBe(3);
        expect(absent.some((object) => objects.includes(object as string))).toBe(false);
      }
    }
  });

  it('draws random negatives from the seed', () => {
    const texts = [1, 1, 2].map((seed) => JSON.stringify(popeQuestions(images, 'random', new Random(seed))));
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  it('writes "an" before a vowel and leaves the rest alone', () => {
    expect(popeText('arrow')).toBe('Is there an arrow in the image?');
    expect(popeText('ball')).toBe('Is there a ball in the image?');
  });

  it('refuses images it cannot ask about', () => {
    const code = (value: string) => expect.objectContaining({ code: value });
    const few = [{ image: 'x', objects: ['a', 'b', 'b'] }];
    expect(() => popeQuestions(few, 'random', new Random(0))).toThrowError(code('pope/too-few-objects'));
    for (const split of popeSplits) {
      expect(() => popeQuestions(images.slice(0, 2), split, new Random(0))).toThrowError(code('pope/no-negative'));
    }
  });
});

describe('selectPopeImages', () => {
  it('keeps images with three different objects, at most as many as wanted', () => {
    const more = [...images, { image: 'I8', objects: ['cat', 'cat', 'dog'] }];
    expect(
      selectPopeImages(more, 100, new Random(0))
        .map((i) => i.image)
        .sort(),
    ).toEqual(images.map((i) => i.image));
    expect(selectPopeImages(more, 2, new Random(0))).toHaveLength(2);
  });
});
