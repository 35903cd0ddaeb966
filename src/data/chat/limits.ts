import { TesseraError } from '../../base/index.ts';

/** A value of the template language, as far as its size is concerned. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
}

interface Extent {
  /** Characters when written out, counting what is shared as often as it would be written. */
  readonly size: number;
  /** How deep containers lie in each other. */
  readonly depth: number;
}

/** Evaluations inside each other; many more would come near the end of the stack. */
const deepestStep = 400;
const deepestValue = 64;
/** What an item of a list or mapping counts beside its text: the memory it takes. */
const itemSize = 16;
/** Largest product of two sizes, where the work or the result of an operation grows with it. */
const largestProduct = 2 ** 26;
/** Longest text searched for, and largest number of spaces or copies. */
const largestFactor = 2 ** 16;

/**
 * What one rendering may use. A template comes with a checkpoint and is a program: it may loop, recurse, and double a
 * text thirty times. What it evaluates is counted, and what it computes is measured, so that neither time nor memory
 * exceeds a fixed multiple of the conversation's own size. The counts are the same on every machine.
 */
export class RenderLimits {
  readonly #where: string;
  readonly #known = new WeakMap<object, Extent>();
  /** Largest value, and all that operations read or make together, in characters. */
  readonly #largest: number;
  readonly #most: number;
  readonly #mostSteps: number;
  #handled = 0;
  #steps = 0;
  #depth = 0;

  /** @param given size of what the template is given, see `sizeOf` */
  constructor(where: string, given: number) {
    this.#where = where;
    this.#largest = 2 ** 18 + 8 * given;
    this.#most = 2 ** 24 + 512 * given;
    // A message has a size of fifty at least, and takes some fifty steps.
    this.#mostSteps = 2 ** 17 + 2 * given;
  }

  enter(): void {
    this.spend(1);
    if (++this.#depth > deepestStep) this.refuse('recurses too deeply', `at most ${deepestStep} levels`);
  }

  leave(): void {
    this.#depth--;
  }

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#mostSteps) this.refuse('takes too many steps', `at most ${this.#mostSteps} steps`);
  }

  /** Lets a value pass when it is small enough. */
  admit(value: TemplateValue): void {
    if (this.size(value) > this.#largest) {
      this.refuse('makes a text or list that is too large', `at most ${this.#largest} characters`);
    }
  }

  /** Counts characters that an operation reads or makes. */
  handle(size: number): void {
    this.#handled += size;
    if (this.#handled > this.#most) this.refuse('handles too much text', `at most ${this.#most} characters`);
  }

  /** Refuses an operation whose work or result would be too large a product. */
  multiply(size: number, factor: number): void {
    if (size * factor <= largestProduct && factor <= largestFactor) return;
    this.refuse(
      'multiplies texts',
      `a search, join or replacement of at most ${largestFactor} by ${largestProduct / largestFactor} characters`,
    );
  }

  size(value: TemplateValue): number {
    return this.#extent(value, 0).size;
  }

  refuse(message: string, expected: string): never {
    throw new TesseraError({
      code: 'chat/template-limit',
      message: `the chat template ${message}`,
      path: this.#where,
      expected,
      remedy: 'use a template from a source you trust, or a built-in one',
    });
  }

  #extent(value: TemplateValue, level: number): Extent {
    const { value: content } = value;
    if (typeof content === 'string') return { size: content.length, depth: 0 };
    if (typeof content !== 'object' || content === null) return { size: 1, depth: 0 };
    // What a namespace holds can change, so it is measured anew and may not be inside another value.
    const fixed = value.type !== 'NamespaceValue';
    if (!fixed && level > 0) this.refuse('puts a namespace into another value', 'texts, numbers, lists and mappings');
    const known = fixed ? this.#known.get(value) : undefined;
    const extent = known ?? this.#contents(content, level);
    if (fixed && !known) this.#known.set(value, extent);
    if (level + extent.depth > deepestValue) {
      this.refuse('nests lists too deeply', `at most ${deepestValue} levels`);
    }
    return extent;
  }

  #contents(content: object, level: number): Extent {
    let size = 0;
    let depth = 0;
    const add = (key: string, item: TemplateValue) => {
      const inner = this.#extent(item, level + 1);
      size += key.length + inner.size + itemSize;
      depth = Math.max(depth, inner.depth);
    };
    if (Array.isArray(content)) for (const item of content as TemplateValue[]) add('', item);
    else if (content instanceof Map) for (const [key, item] of content as Map<string, TemplateValue>) add(key, item);
    return { size, depth: depth + 1 };
  }
}

/** Characters of a value that a template is given, and a constant for each item. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.entries(value).reduce((sum, [key, item]) => sum + key.length + sizeOf(item) + itemSize, 0);
}
