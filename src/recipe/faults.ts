import type { z } from 'zod';
import type { Fault } from '../base/index.ts';
import { nearest } from '../base/index.ts';
import { aliases } from './aliases.ts';
import { elementOf, isLiteral, shapesOf } from './option.ts';

/** A place in a recipe: keys and list positions from the top. */
export type KeyPath = readonly PropertyKey[];

/** Tells where a place was written, such as `llava.yaml:12:5 train.steps`. */
export type Where = (path: KeyPath) => string;

type Issue = z.core.$ZodIssue;

/** The faults behind what zod found in `data`, all of them, each with its place, what stands there and a remedy. */
export function faultsOf(issues: readonly Issue[], schema: z.ZodType, data: unknown, where: Where): Fault[] {
  const found = issues.flatMap((issue) => faultsOfIssue(issue, schema, data, where));
  // A number may be too large twice: for what it counts, and for a whole number.
  return found.filter(
    (fault, i) => !found.slice(0, i).some(({ code, path }) => code === fault.code && path === fault.path),
  );
}

function faultsOfIssue(issue: Issue, schema: z.ZodType, data: unknown, where: Where): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path, data);
    return issue.keys.map((key) => unknownKey(key, known, where([...issue.path, key])));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branch = fittingBranch(issue.errors);
    if (branch) {
      const inside = branch.map((nested) => ({ ...nested, path: [...issue.path, ...nested.path] }) as Issue);
      return faultsOf(inside, schema, data, where);
    }
  }
  // Inside a list written as words, the place exists only after reading, so zod's own input tells.
  const value = valueAt(data, issue.path) ?? (issue.code === 'invalid_union' ? undefined : issue.input);
  if (value === undefined && issue.code !== 'custom') return [missingKey(issue, data, where)];
  return [
    {
      code: 'recipe/value',
      message: 'this value cannot be used here',
      path: where(issue.path),
      expected: expectation(issue),
      got: inline(value),
      ...(switchedOff(issue, value) ?? suggestion(issue, value)),
    },
  ];
}

/** Sections that a recipe may go without, for those who would switch them off in another way. */
function switchedOff({ path }: Issue, value: unknown): { remedy: string } | undefined {
  const [name] = path;
  const off = value === false || value === '' || (Array.isArray(value) && value.length === 0);
  if (!off || (name !== 'eval' && name !== 'feedback')) return undefined;
  return { remedy: `to go without, write ${name}=null on the command line, or take the section out of the recipe` };
}

const unmerged = 'merge keys of YAML are not read; write the keys out, or use an alias for a whole value';

/** A fault for a key that no section has. */
function unknownKey(key: string, known: readonly string[], path: string): Fault {
  const near = key === '<<' ? undefined : (otherName(key, known) ?? nearest(key, known));
  return {
    code: 'recipe/unknown-key',
    message: `there is no option named ${key}`,
    path,
    expected: `one of ${known.join(', ')}`,
    got: key,
    remedy: near
      ? `did you mean ${near}?`
      : key === '<<'
        ? unmerged
        : 'take the key out; `tessera recipes options` lists every key',
  };
}

/** The key that another tool calls by this name, if the section has it. */
function otherName(key: string, known: readonly string[]): string | undefined {
  const alias = Object.hasOwn(aliases, key) ? aliases[key] : undefined;
  const name = alias && 'to' in alias ? alias.to.at(-1) : undefined;
  return name !== undefined && known.includes(name) ? name : undefined;
}

function missingKey(issue: Issue, data: unknown, where: Where): Fault {
  return {
    code: 'recipe/missing',
    message: `${String(issue.path.at(-1) ?? 'the recipe')} is missing`,
    path: where(issue.path),
    expected: expectation(issue),
    remedy: `add it to the recipe, or write ${spell(data, issue.path)}=... on the command line`,
  };
}

/** In a choice between a word and a section, the branch that the value was meant for. */
function fittingBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return kind(issue.expected);
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return bound('at least', 'more than', issue.minimum, issue.inclusive, issue.origin);
    case 'too_big':
      return bound('at most', 'less than', issue.maximum, issue.inclusive, issue.origin);
    case 'invalid_union':
      return issue.errors.length > 0
        ? issue.errors.flatMap((branch) => branch.slice(0, 1).map(expectation)).join(' or ')
        : `one of ${((issue as { options?: readonly unknown[] }).options ?? []).join(', ')}`;
    default:
      return issue.message.replace(/^expected /, '');
  }
}

function bound(inclusive: string, exclusive: string, limit: number | bigint, open?: boolean, origin?: string): string {
  const of = origin === 'array' ? ' entries' : origin === 'string' ? ' characters' : '';
  return `${open ? inclusive : exclusive} ${limit}${of}`;
}

const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a section with keys of its own',
  record: 'a section with keys of its own',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  tuple: 'a list',
};

function kind(expected: string): string {
  return kinds[expected] ?? expected;
}

function suggestion(issue: Issue, value: unknown): { remedy: string } | undefined {
  const choices = choicesOf(issue);
  const wrong = typeof value === 'string' ? value : undefined;
  if (!choices || wrong === undefined) return undefined;
  const near = nearest(wrong, choices.map(String));
  return near ? { remedy: `did you mean ${near}?` } : undefined;
}

/** The words that may stand at a place, also as one branch of a choice. */
function choicesOf(issue: Issue): readonly unknown[] | undefined {
  if (issue.code === 'invalid_value') return issue.values;
  const branches = issue.code === 'invalid_union' ? issue.errors.flat() : [];
  return branches.map(choicesOf).find(Boolean) ?? (issue as { options?: readonly unknown[] }).options;
}

/** The keys that the section at `path` may have; of a choice between sections, those of the branch chosen. */
function keysAt(schema: z.ZodType, path: KeyPath, data: unknown): string[] {
  let here: z.ZodType = schema;
  let value = data;
  for (const key of path) {
    const next = typeof key === 'number' ? elementOf(here) : chosenShape(here, value)[String(key)];
    if (!next) return [];
    here = next;
    value = valueAt(value, [key]);
  }
  return Object.keys(chosenShape(here, value));
}

function chosenShape(schema: z.ZodType, value: unknown): Record<string, z.ZodType> {
  const shapes = shapesOf(schema);
  const chosen = shapes.find((shape) =>
    Object.entries(shape).some(([tag, it]) => isLiteral(it) && it.safeParse(valueAt(value, [tag])).success),
  );
  return chosen ?? shapes[0] ?? {};
}

/** A place as overrides write it: dotted, with stages by their names. */
export function spell(data: unknown, path: KeyPath): string {
  const name = path[0] === 'stages' && path.length > 2 ? valueAt(data, [...path.slice(0, 2), 'name']) : undefined;
  return (typeof name === 'string' ? ['stages', name, ...path.slice(2)] : path).map(String).join('.');
}

/** What stands at a place, or undefined. */
export function valueAt(data: unknown, path: KeyPath): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** A value on one line, cut short. */
export function inline(value: unknown): string {
  // JSON has no word for numbers that are none.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return brief(text);
}

/** A text, cut where it is too long to be read in a message. */
export function brief(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
