import { TesseraError } from '../base/index.ts';
import type { StreamDecoder, Tokenizer } from '../data/index.ts';

/** What ends an answer: ids that are no part of it, and texts before which it is cut. */
export interface Stops {
  readonly ids: ReadonlySet<number>;
  readonly texts: readonly string[];
}

/**
 * Sorts stop strings: one that is a special token of the tokenizer ends an answer by its id, because special tokens are
 * left out of the text.
 */
export function sortStops(ids: Iterable<number>, texts: readonly string[], tokenizer: Tokenizer | undefined): Stops {
  const found = new Set(ids);
  const plain: string[] = [];
  for (const text of texts) {
    const special = tokenizer?.specials.get(text);
    if (text === '' || !tokenizer) throw unusable(text);
    if (special === undefined) plain.push(text);
    else found.add(special);
  }
  return { ids: found, texts: plain };
}

function unusable(text: string): TesseraError {
  return new TesseraError({
    code: 'generate/stop',
    message: text === '' ? 'a stop string is empty' : 'stop strings need a tokenizer',
    expected: text === '' ? 'at least one character' : 'a tokenizer beside them',
    got: JSON.stringify(text),
  });
}

/** The text of one answer as it grows. What could be the beginning of a stop string is held back until that is known. */
export class AnswerText {
  readonly #decoder: StreamDecoder;
  readonly #vocabSize: number;
  readonly #stops: readonly string[];
  #given = '';
  #held = '';
  #stopped = false;

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#decoder = tokenizer.streamDecoder();
    this.#vocabSize = tokenizer.vocabSize;
    this.#stops = stops;
  }

  /** All that was given out. */
  get text(): string {
    return this.#given;
  }

  /** Whether a stop string has ended the answer. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a token and gives the text that is now certain: whole characters, before any stop string. */
  push(id: number): string {
    // A model may have more rows than its tokenizer has tokens; such an id is no text, but it is shown.
    this.#held += id < this.#vocabSize ? this.#decoder.push(id) : '\uFFFD';
    return this.#give(this.#undecided());
  }

  /** Gives what is left. */
  end(): string {
    if (this.#stopped) return '';
    this.#held += this.#decoder.end();
    return this.#give(0);
  }

  #give(keep: number): string {
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    this.#stopped = found.length > 0;
    const end = this.#stopped ? Math.min(...found) : this.#held.length - keep;
    const certain = this.#held.slice(0, end);
    this.#held = this.#stopped ? '' : this.#held.slice(end);
    this.#given += certain;
    return certain;
  }

  /** Length of the longest end of the held text with which a stop string begins. */
  #undecided(): number {
    const held = this.#held;
    const ends = this.#stops.map((stop) => {
      let length = Math.min(stop.length - 1, held.length);
      while (length > 0 && !stop.startsWith(held.slice(held.length - length))) length--;
      return length;
    });
    return Math.max(0, ...ends);
  }
}
