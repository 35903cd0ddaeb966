import type { Fault } from '../../base/index.ts';
import type { Example } from '../../data/index.ts';

/** The fault of a row that shows anything but one image; undefined for one that does. */
export function notOneImage(row: Example | undefined, fault: Pick<Fault, 'code' | 'message'>): Fault | undefined {
  const shown = row?.media.map(({ media }) => media.kind) ?? [];
  if (shown.length === 1 && shown[0] === 'image') return undefined;
  return { ...fault, ...(row && { path: row.where }), expected: '1 image', got: shown.join(', ') || 'none' };
}
