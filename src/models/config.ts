import { nearest, TesseraError } from '../base/index.ts';
import { describeJson } from '../files/index.ts';

/** A `config.json`, or a part of it. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/** Largest width, vocabulary or number of positions that is believed. */
const largestSize = 2 ** 24;
/** Most blocks that a tower or decoder may have. */
export const mostLayers = 1024;

/** Reads typed fields of a configuration, naming file and key in every complaint. */
export class ConfigReader {
  readonly json: ConfigJson;
  readonly where: string;

  constructor(json: ConfigJson, where = 'config.json') {
    this.json = json;
    this.where = where;
  }

  /** What to throw where the value of a key cannot be used. */
  fault(key: string, expected: string): TesseraError {
    return new TesseraError({
      code: 'config/value',
      message:
        key in this.json ? 'the configuration has a value that cannot be used' : 'the configuration lacks a value',
      path: `${this.where}: ${key}`,
      expected,
      got: key in this.json ? describeJson(this.json[key]) : 'nothing',
    });
  }

  number(key: string, fallback?: number): number {
    const value = this.json[key] ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.fault(key, 'a number');
    return value;
  }

  /** As `number`, greater than zero: a scale, or an epsilon that keeps a division possible. */
  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (value <= 0) throw this.fault(key, 'a positive number');
    return value;
  }

  /** A whole number from `least` to `most`. */
  integer(key: string, least: number, most: number, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw this.fault(key, `a whole number from ${least} to ${most}`);
    }
    return value;
  }

  /** A positive integer; sizes beyond `most` are refused before anything is laid out by them. */
  size(key: string, fallback?: number, most = largestSize): number {
    return this.integer(key, 1, most, fallback);
  }

  /** Half of an even positive integer: rotary embeddings turn numbers in pairs. */
  half(key: string, fallback?: number): number {
    const value = this.size(key, fallback);
    if (value % 2 !== 0) throw this.fault(key, 'an even number');
    return value / 2;
  }

  /** A positive integer that divides `whole`. */
  divisor(key: string, whole: number, fallback?: number): number {
    const value = this.size(key, fallback);
    if (whole % value !== 0) throw this.fault(key, `a divisor of ${whole}`);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.json[key] ?? fallback;
    if (typeof value !== 'boolean') throw this.fault(key, 'true or false');
    return value;
  }

  /** One of a table's keys. */
  choice<T>(key: string, table: Readonly<Record<string, T>>, fallback?: string): T {
    const value = this.json[key] ?? fallback;
    if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value] as T;
    const near = typeof value === 'string' ? nearest(value, Object.keys(table)) : undefined;
    throw this.fault(key, `one of ${Object.keys(table).join(', ')}${near ? ` (nearest: ${near})` : ''}`);
  }

  /** A list of `count` positive numbers. */
  numbers(key: string, count: number): readonly number[] {
    const value = this.json[key];
    const fits = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x) && x > 0;
    if (Array.isArray(value) && value.length === count && value.every(fits)) return value;
    throw this.fault(key, `a list of ${count} positive numbers`);
  }

  part(key: string): ConfigReader {
    const value = this.json[key];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.fault(key, 'an object');
    return new ConfigReader(value as ConfigJson, `${this.where}: ${key}`);
  }

  /** Refuses values of options that are not implemented, so that none is ignored. */
  require(key: string, allowed: readonly unknown[]): void {
    const value = this.json[key];
    if (value === undefined || allowed.includes(value)) return;
    throw this.fault(key, `${allowed.map((v) => JSON.stringify(v)).join(' or ')} (nothing else is implemented)`);
  }
}
