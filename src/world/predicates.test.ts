import { describe, expect, it } from 'vitest';
import { above, count, exists, inPlace, larger, leftOf, someInPlace, someRelated } from './predicates.ts';
import type { Scene, SceneObject } from './scene.ts';

const object = (id: number, shape: 'ball' | 'cube', color: 'red' | 'blue', bbox: SceneObject['bbox']): SceneObject => ({
  id,
  shape,
  color,
  size: 'small',
  pattern: 'solid',
  bbox,
});

/** Red cube at the left, blue ball right of it by exactly the margin, red cube at the right and below. */
const a = object(0, 'cube', 'red', [10, 10, 30, 30]);
const b = object(1, 'ball', 'blue', [15, 10, 35, 30]);
const c = object(2, 'cube', 'red', [70, 60, 90, 86]);
const scene: Scene = { image_id: 0, width: 100, height: 100, background: 'white', objects: [a, b, c] };

describe('predicates', () => {
  it('finds and counts by any attributes', () => {
    expect(exists(scene, { shape: 'cube', color: 'red' })).toBe(true);
    expect(exists(scene, { shape: 'ball', color: 'red' })).toBe(false);
    expect(count(scene, { shape: 'cube' })).toBe(2);
    expect(count(scene, {})).toBe(3);
  });

  it('leaves positions within the margin undefined', () => {
    expect(leftOf(scene, a, b)).toBe(undefined);
    expect(leftOf({ ...scene, width: 99 }, a, b)).toBe(true);
    expect(leftOf(scene, a, c)).toBe(true);
    expect(leftOf(scene, c, a)).toBe(false);
    expect(above(scene, a, b)).toBe(undefined);
    expect(above(scene, a, c)).toBe(true);
  });

  it('calls one larger beyond a ratio of 1.3 alone', () => {
    const wide = (width: number): SceneObject => object(9, 'ball', 'red', [0, 0, width, 10]);
    expect(larger(wide(13), wide(10))).toBe(undefined);
    expect(larger(wide(14), wide(10))).toBe(true);
    expect(larger(wide(10), wide(14))).toBe(false);
  });

  it('knows places with a margin between yes and no', () => {
    expect(inPlace(scene, a, 'left')).toBe(true);
    expect(inPlace(scene, a, 'right')).toBe(false);
    expect(inPlace(scene, object(3, 'ball', 'red', [40, 40, 50, 60]), 'left')).toBe(undefined);
    expect(inPlace(scene, object(3, 'ball', 'red', [45, 45, 55, 55]), 'middle')).toBe(true);
    expect(inPlace(scene, a, 'middle')).toBe(false);
  });

  it('holds an ambiguous reference true when any assignment is', () => {
    expect(someRelated(scene, 'left of', { shape: 'ball' }, { shape: 'cube' })).toBe(true);
    expect(someRelated(scene, 'right of', { shape: 'ball' }, { shape: 'cube' })).toBe(undefined);
    expect(someRelated(scene, 'above', { shape: 'cube' }, { shape: 'cube' })).toBe(true);
    expect(someRelated(scene, 'above', { color: 'blue', shape: 'cube' }, { shape: 'cube' })).toBe(false);
    expect(someInPlace(scene, { shape: 'cube' }, 'right')).toBe(true);
  });
});
