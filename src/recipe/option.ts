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
}

/** Every option under a schema, depth first, in the order of its definition. */
export function optionRows(schema: z.ZodType, path = ''): OptionRow[] {
  const rows = new Map<string, OptionRow>();
  for (const shape of shapesOf(schema)) {
    for (const [key, value] of Object.entries(shape)) {
      const here = path ? `${path}.${key}` : key;
      const known = rows.get(here);
      const type = known ? either([known.type, typeLabel(value)]) : typeLabel(value);
      rows.set(here, { path: here, type, description: value.description ?? '' });
      const element = elementOf(value);
      const below = element ? `${here}.<${key === 'stages' ? 'stage' : 'n'}>` : here;
      for (const row of optionRows(element ?? value, below)) rows.set(row.path, row);
    }
  }
  return [...rows.values()];
}

function either(types: readonly string[]): string {
  return [...new Set(types)].join(' | ');
}

/** The key-to-schema tables of a section, or of each branch of a choice between sections. */
export function shapesOf(schema: z.ZodType): Record<string, z.ZodType>[] {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodObject) return [plain.shape as Record<string, z.ZodType>];
  if (plain instanceof z.ZodUnion) return plain.options.flatMap((branch) => shapesOf(branch as z.ZodType));
  return [];
}

/** The schema of a list's elements when they are sections. */
export function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const plain = unwrap(schema);
  if (!(plain instanceof z.ZodArray)) return undefined;
  const element = plain.element as z.ZodType;
  return shapesOf(element).length > 0 ? element : undefined;
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return unwrap(schema.out as z.ZodType);
  return schema;
}

function typeLabel(schema: z.ZodType): string {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodEnum) return plain.options.join(' | ');
  if (plain instanceof z.ZodLiteral) return [...plain.values].join(' | ');
  if (plain instanceof z.ZodArray) return `list of ${typeLabel(plain.element as z.ZodType)}`;
  if (plain instanceof z.ZodTuple) return plain.def.items.map((item) => typeLabel(item as z.ZodType)).join(', ');
  if (plain instanceof z.ZodRecord) return `pattern: ${typeLabel(plain.valueType as z.ZodType)}`;
  if (plain instanceof z.ZodBoolean) return 'true | false';
  if (plain instanceof z.ZodNumber) return plain.isInt ? 'integer' : 'number';
  if (plain instanceof z.ZodString) return plain.meta()?.title ?? 'text';
  if (plain instanceof z.ZodUnion) return either(plain.options.map((branch) => typeLabel(branch as z.ZodType)));
  return 'section';
}

/** Whether a schema takes one value alone, and so tells a branch of a choice from the others. */
export function isLiteral(schema: z.ZodType): boolean {
  return unwrap(schema) instanceof z.ZodLiteral;
}
