import type { Session } from './engine.ts';

/** Sessions with what belongs to them, by key: each is built when first asked for, and once. */
export class Sessions<T extends { readonly session: Session }> {
  readonly #built = new Map<string, Promise<T>>();

  get(key: string, build: () => Promise<T>): Promise<T> {
    const known = this.#built.get(key);
    if (known) return known;
    const built = build();
    this.#built.set(key, built);
    // One that was refused may be asked for again.
    built.catch(() => this.#built.delete(key));
    return built;
  }

  async dispose(): Promise<void> {
    const all = await Promise.allSettled(this.#built.values());
    for (const built of all) if (built.status === 'fulfilled') built.value.session.dispose();
    this.#built.clear();
  }
}
