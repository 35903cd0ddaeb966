import { parseDocument } from 'yaml';
import type { Fault } from '../base/index.ts';
import { nearest } from '../base/index.ts';
import { architectures } from '../models/index.ts';
import { type Alias, aliases } from './aliases.ts';
import type { KeyPath } from './faults.ts';
import { inline } from './faults.ts';

type Section = Record<string, unknown>;

/** One `key=value` of the command line. */
export interface Override {
  readonly text: string;
  readonly path: readonly string[];
  /** `null` takes the key out, back to its default. */
  readonly value: unknown;
}

/** A recipe after its overrides, with the override that wrote each changed place. */
export interface Overridden {
  readonly data: unknown;
  readonly written: readonly { readonly path: KeyPath; readonly text: string }[];
  readonly faults: readonly Fault[];
}

/** Setting one of these on the command line takes the others out: they say the same thing in another way. */
const rivals: readonly { readonly set: string; readonly drops: readonly string[] }[] = [
  { set: 'train.steps', drops: ['train.epochs'] },
  { set: 'train.epochs', drops: ['train.steps'] },
  {
    set: 'model.from',
    drops: [...new Set(Object.values(architectures).flatMap(({ keys }) => Object.keys(keys)))].map(
      (key) => `model.${key}`,
    ),
  },
];

/**
 * Reads `key=value`: the key is dotted, the value YAML (`1e-4`, `[a, b]`, `{ r: 8 }`), and `a,b` also makes a list of words.
 * Key names of other tools are taken as well.
 * @example parseOverride('train.lr=1e-4') // { path: ['train', 'lr'], value: 0.0001, ... }
 */
export function parseOverride(text: string): Override | Fault {
  const at = text.indexOf('=');
  const key = text.slice(0, Math.max(at, 0)).trim();
  const path = key.split('.');
  if (at < 1 || path.some((part) => part === '')) return malformed(text, 'key=value, such as train.lr=1e-4');
  const value = parseValue(text.slice(at + 1).trim());
  if (value === unreadable) return malformed(text, 'a value in YAML, such as 0.1, text, [a, b] or { r: 8 }');
  return renamed({ text, path, value });
}

const unreadable = Symbol('unreadable');

/** Patterns begin with `*` or `!`, which YAML keeps for other things: those are plain words here. */
function parseValue(text: string): unknown {
  if (/^[*!]/.test(text)) return text;
  const document = parseDocument(text);
  if (document.errors.length > 0 || document.warnings.length > 0) return unreadable;
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    return unreadable;
  }
}

function malformed(text: string, expected: string): Fault {
  return {
    code: 'recipe/override',
    message: 'this override cannot be read',
    path: 'command line',
    expected,
    got: text,
    remedy: 'quote the whole override if the shell takes part of it away',
  };
}

/**
 * An override or a top-level key with another tool's name, under the name it has here: `learning_rate`, and in its
 * section `train.learning_rate` or `stages.align.train.learning_rate`.
 */
export function renamed(override: Override): Override | Fault {
  const key = override.path.at(-1) as string;
  const section = override.path.at(-2);
  const found = Object.hasOwn(aliases, key) ? aliases[key] : undefined;
  const alias = section === undefined || (found && sectionOf(found) === section) ? found : undefined;
  if (!alias) return override;
  if ('no' in alias) {
    return { code: 'recipe/alias', message: `${key} has no place here`, path: override.text, remedy: alias.no };
  }
  const { value } = override;
  const mapped = typeof value === 'string' ? (alias.values?.[value] ?? value) : value;
  return { ...override, path: [...override.path.slice(0, -2), ...alias.to], value: mapped };
}

function both(one: string, other: string): Fault {
  return {
    code: 'recipe/conflict',
    message: 'two overrides say the same thing in different ways',
    path: 'command line',
    expected: 'one of them',
    got: `${other} ${one}`,
    remedy: 'take one of them out',
  };
}

/** The section that other tools' keys are looked for in; those without a place here are all about training. */
function sectionOf(alias: Alias): string | undefined {
  return 'to' in alias ? alias.to[0] : 'train';
}

/**
 * Writes overrides into a copy of a recipe's data. `train.x` and `lora.x` reach every stage: they become the default and
 * what a stage says itself gives way. `stages.<name>.x` reaches one stage.
 */
export function applyOverrides(data: unknown, texts: readonly string[]): Overridden {
  const copy: unknown = structuredClone(data);
  const faults: Fault[] = [];
  const written: { path: KeyPath; text: string }[] = [];
  for (const text of texts) {
    const override = parseOverride(text);
    const fault = 'code' in override ? override : apply(copy, override, written);
    if (fault) faults.push(fault);
  }
  return { data: copy, written, faults };
}

function apply(data: unknown, override: Override, written: { path: KeyPath; text: string }[]): Fault | undefined {
  if (!isSection(data)) return undefined;
  const resolved = resolveStage(data, override);
  if ('code' in resolved) return resolved;
  const { path } = resolved;
  if (path[0] === 'train' || path[0] === 'lora') clearStages(data, path as string[]);
  for (const rival of rivals) {
    const names = rival.set.split('.');
    const base = path.slice(0, -names.length);
    if (path.slice(-names.length).join('.') !== rival.set) continue;
    for (const dropped of rival.drops) {
      const other = written.find((one) => one.path.join('.') === [...base, ...dropped.split('.')].join('.'));
      if (other && override.value !== null) return both(override.text, other.text);
      remove(data, [...base, ...dropped.split('.')]);
      if (base.length === 0 && names[0] === 'train') clearStages(data, dropped.split('.'));
    }
  }
  if (override.value === null) {
    remove(data, path);
    return undefined;
  }
  written.push({ path, text: override.text });
  return write(data, path, override);
}

/** `stages.<name>.…` with the stage's position in the place of its name. */
function resolveStage(data: Section, override: Override): { path: KeyPath } | Fault {
  const [first, name, ...rest] = override.path;
  if (first !== 'stages' || name === undefined || !Array.isArray(data.stages)) return { path: numbered(override.path) };
  const names = data.stages.map((stage) => (isSection(stage) ? String(stage.name) : ''));
  const at = names.includes(name) ? names.indexOf(name) : /^\d+$/.test(name) ? Number(name) : -1;
  if (at >= 0 && at < names.length) return { path: ['stages', at, ...numbered(rest)] };
  const near = nearest(name, names);
  return {
    code: 'recipe/unknown-stage',
    message: `the recipe has no stage named ${name}`,
    path: override.text,
    expected: `one of ${names.join(', ')}`,
    got: name,
    ...(near && { remedy: `did you mean ${near}?` }),
  };
}

function numbered(path: readonly string[]): KeyPath {
  return path.map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Takes what stages say themselves about a default out of the way. A stage without adapters stays without. */
function clearStages(data: Section, path: readonly string[]): void {
  for (const stage of Array.isArray(data.stages) ? data.stages : []) {
    if (path[0] === 'lora' && isSection(stage) && stage.lora === false) continue;
    remove(stage, path);
  }
}

function remove(data: unknown, path: KeyPath): void {
  const holder = path.slice(0, -1).reduce<unknown>(child, data);
  const last = path.at(-1);
  if (typeof last === 'number' && Array.isArray(holder)) holder.splice(last, 1);
  else if (isSection(holder) && last !== undefined) delete holder[String(last)];
}

function child(value: unknown, key: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<PropertyKey, unknown>)[key];
}

function write(data: Section, path: KeyPath, override: Override): Fault | undefined {
  let holder: unknown = data;
  for (const [depth, key] of path.entries()) {
    if (depth === path.length - 1) return put(holder, key, override.value, override);
    let next = child(holder, key);
    if (next === undefined || next === false) {
      next = typeof path[depth + 1] === 'number' ? [] : {};
      const fault = put(holder, key, next, override);
      if (fault) return fault;
    }
    holder = next;
  }
  return undefined;
}

function put(holder: unknown, key: PropertyKey, value: unknown, override: Override): Fault | undefined {
  if (Array.isArray(holder) && typeof key === 'number' && key <= holder.length) {
    holder[key] = value;
    return undefined;
  }
  if (!isSection(holder)) return noPlace(override, holder);
  // Defined rather than assigned, so that a key such as __proto__ is a key like any other, and unknown.
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  return undefined;
}

function noPlace(override: Override, holder: unknown): Fault {
  return {
    code: 'recipe/override',
    message: 'this override goes below a value that has no such place',
    path: override.text,
    expected: Array.isArray(holder) ? `a position from 0 to ${holder.length}` : 'a section',
    got: inline(holder),
  };
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
