import type { Fault } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

interface JsonSource {
  /** Name of the file, for error paths. */
  readonly file: string;
  /** First part of the error codes: `safetensors` gives `safetensors/json` and `safetensors/duplicate-key`. */
  readonly area: string;
  /** Refuse integers spelled as `1.0`, `1e3` or `-0`, which readers of other make refuse or understand differently. */
  readonly plainIntegers?: boolean;
  /** Receives the keys under which a whole number is spelled as a float, `1.0`; `formatJson` spells them so again. */
  readonly floats?: Set<string>;
}

/** Nesting allowed; what tessera reads needs about six levels. */
const maxDepth = 64;

/**
 * Parses JSON by RFC 8259, strictly: a key that is given twice, a lone surrogate, a number beyond float64 and nesting
 * over 64 levels are errors too, because `JSON.parse` would let another reader see a different document.
 * @throws TesseraError `<area>/json` or `<area>/duplicate-key` with `file:line:column`.
 */
export function parseJson(text: string, source: JsonSource): JsonValue {
  const reader = new JsonReader(text, source);
  return reader.document();
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as short text for the `got` of an error. */
export function describeJson(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** What a string holds without further ado. */
const plain = /[^"\\\u0000-\u001f]*/y;

class JsonReader {
  readonly #text: string;
  readonly #source: JsonSource;
  #at = 0;
  #key = '';

  constructor(text: string, source: JsonSource) {
    this.#text = text;
    this.#source = source;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('text follows the JSON value', 'the end of the text');
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > maxDepth) this.#fail('the JSON is nested too deeply', `at most ${maxDepth} levels`);
    this.#space();
    const c = this.#text[this.#at];
    if (c === '{') return this.#object(depth);
    if (c === '[') return this.#array(depth);
    if (c === '"') return this.#string();
    if (c === 't') return this.#word('true', true);
    if (c === 'f') return this.#word('false', false);
    if (c === 'n') return this.#word('null', null);
    return this.#number();
  }

  #object(depth: number): JsonObject {
    const out: JsonObject = {};
    this.#at++;
    if (this.#closes('}')) return out;
    do {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail('the JSON object is malformed', 'a key in double quotes');
      const key = this.#string();
      if (Object.hasOwn(out, key)) this.#duplicate(key, start);
      this.#space();
      if (this.#text[this.#at++] !== ':') this.#fail('the JSON object is malformed', 'a colon after the key', -1);
      this.#key = key;
      const value = this.#value(depth + 1);
      if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true });
      else out[key] = value;
    } while (this.#comma('}'));
    return out;
  }

  #array(depth: number): JsonValue[] {
    const out: JsonValue[] = [];
    this.#at++;
    if (this.#closes(']')) return out;
    do out.push(this.#value(depth + 1));
    while (this.#comma(']'));
    return out;
  }

  #closes(bracket: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  #comma(bracket: string): boolean {
    if (this.#closes(bracket)) return false;
    if (this.#text[this.#at++] !== ',') this.#fail('the JSON is malformed', `a comma or ${bracket}`, -1);
    return true;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    let escaped = false;
    for (let at = start + 1; ; ) {
      plain.lastIndex = at;
      plain.test(text);
      at = plain.lastIndex;
      const c = text.charCodeAt(at);
      if (c === 0x22) {
        this.#at = at + 1;
        return escaped ? this.#unescape(start) : text.slice(start + 1, at);
      }
      this.#at = Math.min(at, text.length);
      if (c !== 0x5c && at < text.length)
        this.#fail('a control character stands in a JSON string', 'an escape such as \\n');
      if (at + 1 >= text.length) return this.#fail('a JSON string is not closed', 'a double quote');
      escaped = true;
      at += 2;
    }
  }

  #unescape(start: number): string {
    let value: string;
    try {
      value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      this.#at = start;
      return this.#fail('a JSON string holds an unknown escape', 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX');
    }
    if (/\p{Surrogate}/u.test(value)) {
      this.#at = start;
      this.#fail('a JSON string holds half of a surrogate pair', 'well-formed Unicode');
    }
    return value;
  }

  #number(): number {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at++;
    const zero = this.#text[this.#at] === '0';
    if (zero ? ++this.#at === 0 : this.#digits() === 0) {
      this.#at = start;
      this.#fail('the JSON is malformed', 'a value');
    }
    if (this.#text[this.#at] === '.') this.#fraction();
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') this.#exponent();
    const raw = this.#text.slice(start, this.#at);
    const value = Number(raw);
    if (!Number.isFinite(value)) {
      this.#at = start;
      this.#fail('a JSON number is too large', 'at most 1.8e308 in size');
    }
    const unusual = Number.isInteger(value) && (/[.eE]/.test(raw) || raw === '-0');
    if (unusual && this.#source.plainIntegers) {
      this.#at = start;
      this.#fail('an integer has an unusual spelling', 'plain digits');
    }
    if (unusual) this.#source.floats?.add(this.#key);
    return value;
  }

  #fraction(): void {
    this.#at++;
    if (this.#digits() === 0) this.#fail('a JSON number is malformed', 'digits after the point');
  }

  #exponent(): void {
    this.#at++;
    if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at++;
    if (this.#digits() === 0) this.#fail('a JSON number is malformed', 'digits of the exponent');
  }

  #digits(): number {
    const start = this.#at;
    for (let c = this.#text.charCodeAt(start); c >= 0x30 && c <= 0x39; ) c = this.#text.charCodeAt(++this.#at);
    return this.#at - start;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('the JSON is malformed', 'a value');
    this.#at += word.length;
    return value;
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at++;
    }
  }

  #duplicate(key: string, start: number): never {
    const fault = { code: `${this.#source.area}/duplicate-key`, message: 'a key is given twice in one JSON object' };
    throw this.#error({ ...fault, expected: 'each key once', got: describeJson(key) }, start);
  }

  #fail(message: string, expected: string, shift = 0): never {
    const at = this.#at + shift;
    const got = at < this.#text.length ? JSON.stringify(this.#text.slice(at, at + 20)) : 'the end of the text';
    throw this.#error({ code: `${this.#source.area}/json`, message, expected, got }, at);
  }

  #error(fault: Fault, at: number): TesseraError {
    let line = 1;
    let lineStart = 0;
    for (let i = this.#text.indexOf('\n'); i >= 0 && i < at; i = this.#text.indexOf('\n', lineStart)) {
      line++;
      lineStart = i + 1;
    }
    return new TesseraError({ ...fault, path: `${this.#source.file}:${line}:${at - lineStart + 1}` });
  }
}
