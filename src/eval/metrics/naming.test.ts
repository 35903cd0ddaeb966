import { describe, expect, it } from 'vitest';
import type { Attributes, Phrase } from './naming.ts';
import { nameObjects } from './naming.ts';

const phrase = (of: Attributes, more: Partial<Phrase> = {}): Phrase => ({ of, number: 1, definite: false, ...more });
const red = { shape: 'ball', color: 'red' };
const small = { ...red, size: 'small' };
const large = { ...red, size: 'large' };

function named(phrases: readonly Phrase[], objects: readonly Attributes[]) {
  const { named, amiss, covered } = nameObjects(phrases, objects);
  return [named, amiss.map(({ of }) => of), covered];
}

describe('naming objects', () => {
  it('gives an object to one phrase, and none to a second that says the same', () => {
    expect(named([phrase(red), phrase(red)], [red])).toEqual([2, [red], 1]);
    expect(named([phrase(red), phrase(red)], [red, red])).toEqual([2, [], 2]);
  });

  it('holds every attribute that is said', () => {
    const said = { ...small, pattern: 'striped' };
    expect(named([phrase(said)], [{ ...small, pattern: 'solid' }])).toEqual([1, [said], 0]);
    expect(named([phrase({ shape: 'ball' })], [{ ...small, pattern: 'solid' }])).toEqual([1, [], 1]);
    expect(named([phrase(said)], [red])).toEqual([1, [], 1]);
  });

  it('leaves the object that only one phrase fits to that phrase', () => {
    // "A red ball" could take the small one, and "a small red ball" has no other.
    expect(named([phrase(red), phrase(small)], [small, large])).toEqual([2, [], 2]);
    expect(named([phrase({ shape: 'ball' }), phrase(red), phrase(small)], [small, large])).toEqual([3, [small], 2]);
  });

  it('counts numbers', () => {
    expect(named([phrase({ shape: 'ball' }, { number: 3 })], [small, large])).toEqual([3, [{ shape: 'ball' }], 2]);
  });

  it('takes "the ball" for the ball that was named, and for a new one where none was', () => {
    const the = phrase({ shape: 'ball' }, { definite: true });
    expect(named([phrase(red), the], [red])).toEqual([1, [], 1]);
    expect(named([the, phrase(red)], [red])).toEqual([2, [red], 1]);
    const blue = { shape: 'ball', color: 'blue' };
    expect(named([phrase(red), phrase(blue, { definite: true })], [red])).toEqual([2, [blue], 1]);
  });

  it('names nothing in silence', () => {
    expect(named([], [red])).toEqual([0, [], 0]);
  });
});
