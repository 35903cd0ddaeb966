import type { Tokenizer } from '../data/index.ts';
import { AnswerText, type Stops } from './answer-text.ts';
import type { Picker } from './sampling.ts';

/** Why an answer ended: at a stop, at its longest length, or because it was cancelled. */
export type Finish = 'stop' | 'length' | 'cancelled';

export interface Generated {
  /** Every token produced, one that ended the answer included. */
  readonly ids: readonly number[];
  /** Empty without a tokenizer. Cut before the stop string; special tokens and a closing token are left out. */
  readonly text: string;
  readonly finish: Finish;
  readonly promptTokens: number;
}

export interface RowOptions {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly pick: Picker;
  /** Ids that must not come behind so many tokens of the answer. */
  readonly never: (taken: number) => readonly number[];
  /** How many streams of logits make one token. */
  readonly streams: number;
  readonly stops: Stops;
  readonly tokenizer: Tokenizer | undefined;
  onToken(id: number): void;
  onText(text: string): void;
}

/** What a token gets that must not come: an infinity would look like a model that has broken down. */
const least = -3.4e38;

/** One answer under way. */
export class Row {
  readonly ids: number[] = [];
  readonly #options: RowOptions;
  readonly #answer: AnswerText | undefined;
  #finish: Finish | undefined;
  #sum: Float32Array | undefined;
  #heard = 0;

  constructor(options: RowOptions) {
    this.#options = options;
    const { tokenizer, stops } = options;
    this.#answer = tokenizer && new AnswerText(tokenizer, stops.texts);
  }

  get finished(): boolean {
    return this.#finish !== undefined;
  }

  /** Takes the logits `[V]` of the next token from one of its streams; with the last of them the token is drawn. */
  hear(logits: Float32Array, weight: number): void {
    const { streams } = this.#options;
    if (streams === 1) {
      this.#take(logits);
      return;
    }
    this.#sum ??= new Float32Array(logits.length);
    const sum = this.#sum;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (logits[i] as number);
    if (++this.#heard < streams) return;
    this.#take(sum);
    this.#heard = 0;
    sum.fill(0);
  }

  /** The logits are changed where a token must not come. */
  #take(logits: Float32Array): void {
    const { pick, never, stops, maxTokens, onToken } = this.#options;
    for (const id of never(this.ids.length)) logits[id] = least;
    const id = pick(logits);
    this.ids.push(id);
    onToken(id);
    const closing = stops.ids.has(id);
    if (!closing) this.#tell(this.#answer?.push(id));
    if (closing || this.#answer?.stopped) this.finish('stop');
    else if (this.ids.length >= maxTokens) this.finish('length');
  }

  finish(reason: Finish): void {
    this.#finish = reason;
    this.#tell(this.#answer?.end());
    // What was held back may complete a stop string with the last character.
    if (this.#answer?.stopped) this.#finish = 'stop';
  }

  result(): Generated {
    const { ids } = this;
    const { promptTokens } = this.#options;
    return { ids, text: this.#answer?.text ?? '', finish: this.#finish as Finish, promptTokens };
  }

  #tell(text: string | undefined): void {
    if (text) this.#options.onText(text);
  }
}
