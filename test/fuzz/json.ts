import type { Random } from '../../src/base/index.ts';

/** JSON as it is written, so that a key may come twice and a number may be spelled in any way. */
export type Tree =
  | { readonly kind: 'object'; readonly pairs: readonly (readonly [string, Tree])[] }
  | readonly Tree[]
  | string;

/** A value as a tree; leaves are their text. */
export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return value.map(treeOf);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return { kind: 'object', pairs: Object.entries(value).map(([key, inner]) => [JSON.stringify(key), treeOf(inner)]) };
}

export function writeTree(tree: Tree): string {
  if (typeof tree === 'string') return tree;
  if (Array.isArray(tree)) return `[${tree.map(writeTree).join(',')}]`;
  const { pairs } = tree as Exclude<Tree, string | readonly Tree[]>;
  return `{${pairs.map(([key, inner]) => `${key}:${writeTree(inner)}`).join(',')}}`;
}

/** Values of every kind, and numbers at the edges of what machines hold. */
const values: readonly string[] = [
  ...['null', 'true', '[]', '{}', '""', '0', '-1', '-0', '0.5', '1.0', '1e3', '9007199254740991', '9007199254740992'],
  ...[
    '18446744073709551616',
    '4294967296',
    '2147483648',
    '1e308',
    '"../../etc/passwd"',
    '"/etc/passwd"',
    '"__proto__"',
  ],
  ...[
    '"constructor"',
    '"\\u0000"',
    '"\\u202e"',
    '{"__proto__":{"polluted":1}}',
    '[[[[[[[[]]]]]]]]',
    '["a","a"]',
    '[0,0]',
  ],
  '{"constructor":{"prototype":{"polluted":1}}}',
];
/** What is no value, or none that float64 or Unicode has. */
const broken: readonly string[] = [
  ...['01', '+1', '.5', '0x10', 'NaN', 'Infinity', '1e999', '-1e999', '"\\ud800"', "'a'", 'undefined', '""""', ''],
  `${'['.repeat(500)}${']'.repeat(500)}`,
];
/** Texts that stand where a value should be. */
export const oddities: readonly string[] = [...values, ...broken];

/** A tree with one to three places spoilt. */
export function spoilTree(tree: Tree, random: Random): Tree {
  let out = tree;
  for (let n = random.int(1, 4); n > 0; n--) out = spoilPlace(out, random, random.int(1, 7));
  return out;
}

/** Goes down at most so many levels, then spoils what is there. */
function spoilPlace(tree: Tree, random: Random, depth: number): Tree {
  if (typeof tree === 'string') return spoilLeaf(tree, random);
  if (Array.isArray(tree)) return spoilItems(tree as readonly Tree[], random, depth);
  const { pairs } = tree as Exclude<Tree, string | readonly Tree[]>;
  if (pairs.length === 0) return odd(random);
  const at = random.int(0, pairs.length);
  const [key, value] = pairs[at] as readonly [string, Tree];
  const withPair = (...next: (readonly [string, Tree])[]) => ({
    kind: 'object' as const,
    pairs: pairs.toSpliced(at, 1, ...next),
  });
  if (depth > 1 && random.chance(0.8)) return withPair([key, spoilPlace(value, random, depth - 1)]);
  switch (random.int(0, 6)) {
    case 0:
      return withPair();
    case 1:
      return withPair([key, value], [key, random.chance(0.5) ? value : odd(random)]);
    case 2:
      return withPair([key, odd(random)]);
    case 3:
      return withPair([random.pick(['"__proto__"', '""', '"\\u0061"', `${key.slice(0, -1)}x"`, '1']), value]);
    case 4:
      return withPair([key, value], [random.pick(['"extra"', '"__proto__"', '"toString"']), odd(random)]);
    default:
      return withPair([key, (pairs[random.int(0, pairs.length)] as readonly [string, Tree])[1]]);
  }
}

function spoilItems(items: readonly Tree[], random: Random, depth: number): Tree {
  if (items.length === 0) return random.chance(0.5) ? [odd(random)] : odd(random);
  const at = random.int(0, items.length);
  const item = items[at] as Tree;
  if (depth > 1 && random.chance(0.8)) return items.toSpliced(at, 1, spoilPlace(item, random, depth - 1));
  switch (random.int(0, 5)) {
    case 0:
      return items.toSpliced(at, 1);
    case 1:
      return items.toSpliced(at, 1, odd(random));
    case 2:
      return [...items, ...items.slice(0, 100)];
    case 3:
      return items.toSpliced(at, 0, item);
    default:
      return odd(random);
  }
}

function spoilLeaf(leaf: string, random: Random): Tree {
  if (/^-?\d/.test(leaf) && random.chance(0.5)) {
    const number = Number(leaf);
    return String(random.pick([number + 1, number - 1, -number, number * 2, number * 1e6, number * 1e12, number / 3]));
  }
  if (/^"[^"\\]*"$/.test(leaf) && random.chance(0.4)) {
    const text = leaf.slice(1, -1);
    const changed = [
      text.toUpperCase(),
      `${text}x`,
      text.slice(1),
      text.repeat(50),
      `../${text}`,
      ` ${text}`,
      `${text}\0`,
    ];
    return JSON.stringify(random.pick(changed));
  }
  return odd(random);
}

function odd(random: Random): Tree {
  if (random.chance(0.03)) return JSON.stringify('long '.repeat(20_000));
  return random.pick(random.chance(0.1) ? broken : values);
}
