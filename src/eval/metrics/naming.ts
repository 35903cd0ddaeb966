const attributes = ['shape', 'color', 'size', 'pattern'] as const;

/** What an object has, or what a phrase says of one. */
export type Attributes = { readonly [name in (typeof attributes)[number]]?: string | undefined };

/** A phrase that says that so many things are there. */
export interface Phrase {
  readonly of: Attributes;
  readonly number: number;
  /** "The ball" speaks of a ball named before, where there was one. */
  readonly definite: boolean;
}

/** What the phrases of a text name, thing by thing. */
export interface Naming<P extends Phrase> {
  /** Things named: "two balls" names two, "the ball" after "a red ball" none. */
  readonly named: number;
  /** Of those, the things that are not there, or were all named already, by their phrases. */
  readonly amiss: readonly P[];
  /** Objects that are named. */
  readonly covered: number;
}

/**
 * Gives each thing that a text names an object of its own, which has all the attributes that the phrase says; the most
 * that can be given at once (a maximum matching of the bipartite graph, by augmenting paths: Kuhn 1955, Berge 1957). What
 * is left without one is not there, has other attributes, or was named before. The first to name an object keeps one.
 * An attribute that an object is not known to have counts as right.
 */
export function nameObjects<P extends Phrase>(phrases: readonly P[], objects: readonly Attributes[]): Naming<P> {
  const first = phrases.filter((phrase, at) => !phrase.definite || !speaksAgain(phrase, phrases.slice(0, at)));
  const things = first.flatMap((phrase) => Array.from({ length: phrase.number }, () => phrase));
  const holder = new Map<number, number>();
  const give = (thing: number, tried: Set<number>): boolean => {
    for (const [object, has] of objects.entries()) {
      if (tried.has(object) || !fits((things[thing] as P).of, has)) continue;
      tried.add(object);
      const other = holder.get(object);
      if (other !== undefined && !give(other, tried)) continue;
      holder.set(object, thing);
      return true;
    }
    return false;
  };
  const amiss = things.filter((_, thing) => !give(thing, new Set()));
  return { named: things.length, amiss, covered: holder.size };
}

/** Whether a phrase can be of what one of the phrases before it named. */
function speaksAgain({ of }: Phrase, before: readonly Phrase[]): boolean {
  return before.some((earlier) => fits(of, earlier.of));
}

/** Whether nothing that is said goes against what an object, or another phrase, has. */
function fits(said: Attributes, has: Attributes): boolean {
  return attributes.every((name) => [said[name], has[name]].includes(undefined) || said[name] === has[name]);
}
