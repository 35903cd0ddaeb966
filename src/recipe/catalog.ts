import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { packaged } from '../files/index.ts';

/** Another way to train a system. */
const variant = z.strictObject({ name: z.string(), does: z.string(), needs: z.string(), recipe: z.string() });

const row = z.strictObject({
  name: z.string(),
  title: z.string(),
  authors: z.string(),
  year: z.int(),
  cite: z.string(),
  paper: z.string(),
  needs: z.string().optional(),
  recipe: z.string().optional(),
  /** True where the model equals its reference and no run has shown yet that its recipe teaches it. */
  unproven: z.literal(true).optional(),
  variants: z.array(variant).optional(),
});

/** A published system, or a backbone that systems start from. */
export interface System extends z.infer<typeof row> {
  readonly family: string;
}

/** The thirty systems of the survey by family, then the backbones; the rows of `recipes/catalog.yaml`. */
export const catalog: readonly System[] = Object.entries(
  z.record(z.string(), z.array(row)).parse(parse(readFileSync(packaged('recipes/catalog.yaml'), 'utf8'))),
).flatMap(([family, rows]) => rows.map((system) => ({ ...system, family })));

/** `working` where a recipe teaches it, `unproven` where there is one that has not been shown to, `planned` elsewhere. */
export function statusOf({ recipe, unproven }: System): 'working' | 'unproven' | 'planned' {
  if (recipe === undefined) return 'planned';
  return unproven ? 'unproven' : 'working';
}
