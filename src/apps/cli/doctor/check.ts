/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly found: string;
  /** `lacking` is something one can do without, `broken` something needed. */
  readonly state: 'good' | 'lacking' | 'broken';
  /** How to mend it, unless it is good. */
  readonly remedy?: string;
}

export const good = (name: string, found: string): Check => ({ name, found, state: 'good' });
export const lacking = (name: string, found: string, remedy: string): Check => ({
  name,
  found,
  state: 'lacking',
  remedy,
});
export const broken = (name: string, found: string, remedy: string): Check => ({
  name,
  found,
  state: 'broken',
  remedy,
});
