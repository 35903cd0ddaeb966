import { describe, expect, it } from 'vitest';
import { formatDifference, formatInterval, formatValue } from './format-scores.ts';
import type { Metric } from './tasks/task.ts';

const metric = { name: 'm', label: 'm', describe: '', unit: 'share', better: 'high', headline: true } satisfies Metric;

describe('numbers of the score table', () => {
  it.each([
    [0.5, '+0.500'],
    [-0.25, '−0.250'],
    [-0.0001, '0.000'],
    [0.0001, '+0.000'],
    [null, '–'],
  ])('writes the difference %j as %s', (value, expected) => {
    expect(formatDifference({ value, low: value, high: value }, metric)).toBe(expected);
  });

  it('writes words with one decimal, and a dash for what is undefined', () => {
    expect(formatValue(12.34, { ...metric, unit: 'words' })).toBe('12.3');
    expect(formatInterval({ value: null, low: null, high: null }, metric)).toBe('–');
    expect(formatDifference(undefined, metric)).toBe('–');
  });
});
