/**
 * Seeded random streams, one for each purpose, so that using more numbers in one place moves no number elsewhere.
 * The generator is sfc32 (public domain), seeded through an FNV-style hash of the seed and the purpose.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @example new Random(7, 'world', 'scene', 12).next() */
  constructor(seed: number, ...purpose: readonly (string | number)[]) {
    const key = [seed, ...purpose].join('\u0000');
    const h = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
    for (let i = 0; i < key.length; i++) {
      for (let lane = 0; lane < 4; lane++) {
        h[lane] = Math.imul((h[lane] as number) ^ (key.charCodeAt(i) + lane * 131), 0x01000193 + lane * 2);
      }
    }
    [this.#a, this.#b, this.#c, this.#d] = h.map((x) => x | 0) as [number, number, number, number];
    for (let i = 0; i < 16; i++) this.bits();
  }

  /** 32 uniform bits as a signed integer. */
  bits(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t;
  }

  /** Uniform in [0, 1), 53 bits. */
  next(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Uniform integer in [low, high). */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low));
  }

  /** Uniform in [low, high). */
  uniform(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.next() < p;
  }

  /** One element, all equally likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length)] as T;
  }

  /** One index, with the given non-negative weights. */
  weighted(weights: readonly number[]): number {
    let left = this.next() * weights.reduce((a, b) => a + b, 0);
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] as number;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }

  /** A new array in random order (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(0, i + 1);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }

  /** The whole state: four 32-bit words. */
  state(): [number, number, number, number] {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  /** A generator that goes on from a saved state. */
  static from(state: readonly [number, number, number, number]): Random {
    const random = new Random(0);
    [random.#a, random.#b, random.#c, random.#d] = state;
    return random;
  }
}
