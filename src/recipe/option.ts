import { z } from 'zod';

declare const described: unique symbol;

/** A schema that says what it is for. A section takes nothing else, so an option without a description does not compile. */
export type Option<T extends z.ZodType = z.ZodType> = T & { readonly [described]: true };

/** A schema with its description. */
export function option<T extends z.ZodType>(schema: T, description: string): Option<T> {
  return schema.describe(description) as Option<T>;
}

/** An option that may be left out. */
export function optional<T extends z.ZodType>(schema: T, description: string): Option<z.ZodOptional<T>> {
  return option(schema.optional(), description);
}

/** A mapping whose every key is known; any other key is a fault. */
export function section<const S extends Record<string, Option>>(options: S) {
  return z.strictObject(options);
}

/** A list of words, also written `a,b,c`. */
export const words = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((word) => word.trim()) : value),
  z.array(z.string().min(1)).min(1),
);

/** A list of words from a fixed set, also written `a,b,c`. */
export function wordsOf<const T extends readonly string[]>(choices: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((word) => word.trim()) : value),
    z.array(z.enum(choices)).min(1),
  );
}

/** One option as a row of a table. */
export interface OptionRow {
  /** Dotted key; `<stage>` and `<n>` stand for a stage's name and a place in a list. */
  readonly path: string;
  readonly type: string;
  readonly description: string;
  /** What holds where nobody says anything; absent where the description tells, or where nothing does. */
  readonly default?: string;
}

/**
 * Every option under a schema, depth first, in the order of its definition.
 * @param defaultOf the value that an option has where it is left out, by its dotted key
 */
export function optionRows(
  schema: z.ZodType,
  defaultOf: (path: string) => unknown = () => undefined,
  path = '',
): OptionRow[] {
  const rows = new Map<string, OptionRow>();
  for (const shape of shapesOf(schema)) {
    for (const [key, value] of Object.entries(shape)) {
      const here = path ? `${path}.${key}` : key;
      const known = rows.get(here);
      const type = known ? either([known.type, typeLabel(value)]) : typeLabel(value);
      const given = value instanceof z.ZodOptional ? plain(defaultOf(here)) : 'required';
      const row = { path: here, type, description: value.description ?? '' };
      rows.set(here, given === undefined ? row : { ...row, default: given });
      const element = elementOf(value);
      const below = element ? `${here}.<${key === 'stages' ? 'stage' : 'n'}>` : here;
      for (const row of optionRows(element ?? value, defaultOf, below)) rows.set(row.path, row);
    }
  }
  return [...rows.values()];
}

/** A value as a recipe writes it. */
function plain(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.join(', ')
      : String(value);
}

function either(types: readonly string[]): string {
  return [...new Set(types)].join(' | ');
}

/** The key-to-schema tables of a section, or of each branch of a choice between sections. */
export function shapesOf(schema: z.ZodType): Record<string, z.ZodType>[] {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodObject) return [bare.shape as Record<string, z.ZodType>];
  if (bare instanceof z.ZodUnion) return bare.options.flatMap((branch) => shapesOf(branch as z.ZodType));
  return [];
}

/** The schema of a list's elements when they are sections. */
export function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const bare = unwrap(schema);
  if (!(bare instanceof z.ZodArray)) return undefined;
  const element = bare.element as z.ZodType;
  return shapesOf(element).length > 0 ? element : undefined;
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return unwrap(schema.out as z.ZodType);
  return schema;
}

function typeLabel(schema: z.ZodType): string {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodEnum) return bare.options.join(' | ');
  if (bare instanceof z.ZodLiteral) return [...bare.values].join(' | ');
  if (bare instanceof z.ZodArray) return `list of ${typeLabel(bare.element as z.ZodType)}`;
  if (bare instanceof z.ZodTuple) return bare.def.items.map((item) => typeLabel(item as z.ZodType)).join(', ');
  if (bare instanceof z.ZodRecord) return `pattern: ${typeLabel(bare.valueType as z.ZodType)}`;
  if (bare instanceof z.ZodBoolean) return 'true | false';
  if (bare instanceof z.ZodNumber) return bare.isInt ? 'integer' : 'number';
  if (bare instanceof z.ZodURL) return 'address';
  if (bare instanceof z.ZodString || bare instanceof z.ZodStringFormat) return bare.meta()?.title ?? 'text';
  if (bare instanceof z.ZodUnion) return either(bare.options.map((branch) => typeLabel(branch as z.ZodType)));
  return 'section';
}

/** Whether a schema takes one value alone, and so tells a branch of a choice from the others. */
export function isLiteral(schema: z.ZodType): boolean {
  return unwrap(schema) instanceof z.ZodLiteral;
}
