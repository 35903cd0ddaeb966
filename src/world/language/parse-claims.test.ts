import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/index.ts';
import type { Scene } from '../scene.ts';
import { makeScene, shapesOf, splits } from '../scene.ts';
import { altText, caption } from './captions.ts';
import { claimTruth } from './claim.ts';
import { converse, defaultConversationOptions } from './conversation.ts';
import { detail, fullDetail } from './details.ts';
import { parseClaims } from './parse-claims.ts';
import { reason } from './reasoning.ts';

const claims = (text: string) => parseClaims(text).claims;
const yes = { negated: false };
const no = { negated: true };

describe('parseClaims', () => {
  it('reads noun phrases with synonyms, attributes and counts', () => {
    expect(claims('Two big red boxes and a spotted mug.')).toEqual([
      { kind: 'count', of: { size: 'large', color: 'red', shape: 'cube' }, number: 2, ...yes },
      { kind: 'exists', of: { pattern: 'dotted', shape: 'cup' }, ...yes },
    ]);
  });

  it('reads relations', () => {
    expect(claims('The ball is to the left of a cube.')).toContainEqual({
      kind: 'relation',
      of: { shape: 'ball' },
      relation: 'left of',
      to: { shape: 'cube' },
      ...yes,
    });
    expect(claims('A cup above the ring')[1]).toMatchObject({ relation: 'above', to: { shape: 'ring' } });
    expect(claims('The ball is bigger than the cube')[1]).toMatchObject({ relation: 'larger than' });
    const denied = claims("The ball isn't below the cube");
    expect(denied.map(({ kind, negated }) => `${kind} ${negated}`).sort()).toEqual([
      'exists false',
      'exists false',
      'relation true',
    ]);
  });

  it('reads attributes, also of pronouns', () => {
    expect(claims('There is a ball. It is red and not large.')[1]).toEqual({
      kind: 'attribute',
      of: { shape: 'ball' },
      is: { color: 'red' },
      ...yes,
    });
    expect(claims('The ball is not blue.')[1]).toMatchObject({ kind: 'attribute', is: { color: 'blue' }, ...no });
    expect(claims('The red object is not a cube.').slice(1)).toEqual([
      { kind: 'attribute', of: { color: 'red' }, is: { shape: 'cube' }, ...no },
    ]);
  });

  it('reads places before and after', () => {
    const left = { kind: 'place', of: { shape: 'star' }, place: 'left', ...yes };
    expect(claims('A star on the left.')).toContainEqual(left);
    expect(claims('On the left side of the image there is a star.')).toContainEqual(left);
    expect(claims('The star lies in the center of the table.')).toContainEqual({ ...left, place: 'middle' });
  });

  it('reads negation', () => {
    expect(claims('No, there is no ball or cube.')).toEqual([
      { kind: 'exists', of: { shape: 'ball' }, ...no },
      { kind: 'exists', of: { shape: 'cube' }, ...no },
    ]);
    expect(claims("There isn't a ring, but a star.")).toEqual([
      { kind: 'exists', of: { shape: 'ring' }, ...no },
      { kind: 'exists', of: { shape: 'star' }, ...yes },
    ]);
    expect(claims('The image does not show a heart.')).toEqual([{ kind: 'exists', of: { shape: 'heart' }, ...no }]);
  });

  it('reads tables', () => {
    expect(claims('It is a wooden table.')).toEqual([{ kind: 'background', background: 'wooden', ...yes }]);
  });

  it('counts mentions with repeats and without denied ones', () => {
    const { mentions } = parseClaims('A red ball and a box. The ball is round. No cup. It is small.');
    expect(mentions.map((m) => m.of.shape)).toEqual(['ball', 'cube', 'ball']);
  });

  it('says where in the text a mention stands, of how many things, and whether they may be known', () => {
    const text = "There isn't a cup; two red balls\n lie there. The big BALL cannot roll.";
    const { mentions, sentences } = parseClaims(text);
    const said = mentions.map(({ number, definite, start, end }) => [text.slice(start, end), number, definite]);
    expect(said).toEqual([
      ['two red balls', 2, false],
      ['The big BALL', 1, true],
    ]);
    expect(sentences.map(({ start, end }) => text.slice(start, end))).toEqual(sentences.map((s) => s.text));
  });

  it('reports the share of sentences without a claim', () => {
    expect(parseClaims('A ball. How nice! Lovely weather today. A cube').unparsed).toBe(0.5);
    expect(parseClaims('').unparsed).toBe(0);
  });

  it('holds a colour that only tables have to be false of objects', () => {
    const scene = makeScene(0, 'train', 0);
    const [shape] = shapesOf(scene);
    expect(claims(`A white ${shape}.`).map((claim) => claimTruth(scene, claim))).toEqual([false]);
  });
});

const anyScene = fc
  .record({ seed: fc.nat(1e6), split: fc.constantFrom(...splits), index: fc.nat(1e5) })
  .map(({ seed, split, index }) => makeScene(seed, split, index));

function expectTrue(scene: Scene, text: string): void {
  for (const claim of claims(text)) expect([text, claim, claimTruth(scene, claim)]).toEqual([text, claim, true]);
}

describe('what the generator says', () => {
  it('is understood and true', () => {
    fc.assert(
      fc.property(anyScene, fc.nat(), (scene, seed) => {
        const random = new Random(seed);
        for (const text of [caption(scene, random), detail(scene, random), fullDetail(scene, random)]) {
          expectTrue(scene, text);
          expect(parseClaims(text).unparsed).toBe(0);
          expect(new Set(parseClaims(text).mentions.map((m) => m.of.shape))).toEqual(new Set(shapesOf(scene)));
        }
        const exchanges = [...converse(scene, defaultConversationOptions, random), ...reason(scene, 3, random)];
        for (const { answer } of exchanges) expectTrue(scene, answer);
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  it('lies once in a noisy alt text', () => {
    fc.assert(
      fc.property(anyScene, fc.nat(), (scene, seed) => {
        const said = claims(altText(scene, 1, new Random(seed)));
        const lies = said.filter((claim) => claimTruth(scene, claim) === false);
        expect(lies.map((claim) => claim.kind)).toEqual(['exists']);
      }),
      { numRuns: 200, seed: 2 },
    );
    expectTrue(makeScene(0, 'train', 0), altText(makeScene(0, 'train', 0), 0, new Random(0)));
  });
});
