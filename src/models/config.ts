import { nearest, TesseraError } from '../base/index.ts';

/** A `config.json`, or a part of it. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/** Reads typed fields of a configuration, naming file and key in every complaint. */
export class ConfigReader {
  readonly json: ConfigJson;
  readonly where: string;

  constructor(json: ConfigJson, where = 'config.json') {
    this.json = json;
    this.where = where;
  }

  #fail(key: string, expected: string): TesseraError {
    return new TesseraError({
      code: 'config/value',
      message:
        key in this.json ? 'the configuration has a value that cannot be used' : 'the configuration lacks a value',
      path: `${this.where}: ${key}`,
      expected,
      got: key in this.json ? JSON.stringify(this.json[key]) : 'nothing',
    });
  }

  number(key: string, fallback?: number): number {
    const value = this.json[key] ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#fail(key, 'a number');
    return value;
  }

  size(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isInteger(value) || value < 1) throw this.#fail(key, 'a positive integer');
    return value;
  }

  /** A positive integer that divides `whole`. */
  divisor(key: string, whole: number, fallback?: number): number {
    const value = this.size(key, fallback);
    if (whole % value !== 0) throw this.#fail(key, `a divisor of ${whole}`);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.json[key] ?? fallback;
    if (typeof value !== 'boolean') throw this.#fail(key, 'true or false');
    return value;
  }

  /** One of a table's keys. */
  choice<T>(key: string, table: Readonly<Record<string, T>>, fallback?: string): T {
    const value = this.json[key] ?? fallback;
    if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value] as T;
    const near = typeof value === 'string' ? nearest(value, Object.keys(table)) : undefined;
    throw this.#fail(key, `one of ${Object.keys(table).join(', ')}${near ? ` (nearest: ${near})` : ''}`);
  }

  part(key: string): ConfigReader {
    const value = this.json[key];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#fail(key, 'an object');
    return new ConfigReader(value as ConfigJson, `${this.where}: ${key}`);
  }

  /** Refuses values of options that are not implemented, so that none is ignored. */
  require(key: string, allowed: readonly unknown[]): void {
    const value = this.json[key];
    if (value === undefined || allowed.includes(value)) return;
    throw this.#fail(key, `${allowed.map((v) => JSON.stringify(v)).join(' or ')} (nothing else is implemented)`);
  }
}
