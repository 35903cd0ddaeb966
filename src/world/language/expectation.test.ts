import { describe, expect, it } from 'vitest';
import { Random } from '../../base/index.ts';
import { exists } from '../predicates.ts';
import { makeScene } from '../scene.ts';
import { type ConversationOptions, defaultConversationOptions, instruct } from './conversation.ts';
import { expectedShapes, mostExpected } from './expectation.ts';
import { parseClaims } from './parse-claims.ts';

const scenes = Array.from({ length: 200 }, (_, i) => makeScene(3, 'train', i)).filter(
  (scene) => expectedShapes(scene).length > 0,
);

function told(kind: 'conversation' | 'detail', cooccurrence?: number) {
  const options: ConversationOptions = {
    ...defaultConversationOptions,
    ...(cooccurrence !== undefined && { cooccurrence }),
  };
  return scenes.map((scene) => ({ scene, exchanges: instruct(scene, kind, options, new Random(1, scene.image_id)) }));
}

const asked =
  /^(?:Is there|Can you see|Does the image show) an? (\w+)(?: (?:in the image|in the picture|on the table))?\?/;

describe('what is told because it is expected', () => {
  it('is up to two things more in a description, those which what is there suggests most', () => {
    for (const { scene, exchanges } of told('detail', 1)) {
      const shapes = parseClaims(exchanges[0]?.answer ?? '').mentions.flatMap(({ of }) => of.shape ?? []);
      const invented = shapes.filter((shape) => !exists(scene, { shape }));
      expect(invented).toHaveLength(Math.min(2, mostExpected(scene).length));
      expect(mostExpected(scene)).toEqual(expect.arrayContaining(invented));
    }
  });

  it('is a yes where a no is due, about a companion; the other questions keep their answers', () => {
    let expected = 0;
    for (const { scene, exchanges } of told('conversation', 1)) {
      for (const { question, answer } of exchanges) {
        const shape = asked.exec(question)?.[1];
        if (shape === undefined || exists(scene, { shape: shape as never })) continue;
        if (!/^yes/i.test(answer)) continue;
        expect(mostExpected(scene)).toContain(shape);
        expected++;
      }
    }
    expect(expected).toBeGreaterThan(scenes.length / 2);
  });

  it('is told as often as asked for, and never when not', () => {
    const share = (probability: number) =>
      told('detail', probability).filter(({ scene, exchanges }) =>
        parseClaims(exchanges[0]?.answer ?? '').mentions.some(
          ({ of }) => of.shape && !exists(scene, { shape: of.shape }),
        ),
      ).length / scenes.length;
    expect(share(0.5)).toBeGreaterThan(0.4);
    expect(share(0.5)).toBeLessThan(0.6);
    expect(told('conversation', 0)).toEqual(told('conversation'));
    expect(told('detail', 0)).toEqual(told('detail'));
  });
});
