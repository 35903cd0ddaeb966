import type { Fault } from '../../base/index.ts';
import { formatShape, sameShape } from '../../base/index.ts';
import type { Layout } from './layouts.ts';
import { toFileName } from './layouts.ts';
import type { AdapterConfig } from './peft-config.ts';
import { targetMatcher } from './peft-config.ts';
import { adaptedModule, baseName, loraPart } from './peft-names.ts';

export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Every tensor against the model it is for; `rankOf` gives the rank of a module. */
export function checkShapes(tensors: Shapes, base: Shapes, rankOf: (module: string) => number, where: string): Fault[] {
  return [...tensors].flatMap(([name, { shape }]) => {
    const path = `${where}: ${name}`;
    const of = base.get(baseName(name));
    if (!of) {
      const expected = `${baseName(name)} in the model`;
      return [{ code: 'peft/unknown-module', message: 'the adapter belongs to another model', path, expected }];
    }
    const module = adaptedModule(name);
    if (module === undefined) return differs(of.shape, shape, path);
    if (of.shape.length !== 2) {
      const [message, got] = ['LoRA on what is no linear layer', formatShape(of.shape)];
      return [{ code: 'peft/not-linear', message, path, expected: '[out, in]', got }];
    }
    return differs(wantedShape(name, of.shape, rankOf(module)), shape, path);
  });
}

function wantedShape(name: string, [out = 0, inner = 0]: readonly number[], r: number): readonly number[] {
  if (name.endsWith('lora_A.weight')) return [r, inner];
  return name.endsWith('lora_B.weight') ? [out, r] : [out];
}

function differs(want: readonly number[], have: readonly number[], path: string): Fault[] {
  if (sameShape(want, have)) return [];
  const [expected, got] = [formatShape(want), formatShape(have)];
  return [{ code: 'peft/shape', message: 'a tensor of the adapter has a wrong shape', path, expected, got }];
}

/** An adapted module has both factors, and with DoRA the lengths of its rows. */
export function checkParts(tensors: Shapes, config: AdapterConfig, where: string): Fault[] {
  const parts = ['lora_A.weight', 'lora_B.weight', ...(config.dora ? ['lora_magnitude_vector'] : [])];
  const modules = new Set([...tensors.keys()].flatMap((name) => adaptedModule(name) ?? []));
  return [...modules].flatMap((module) =>
    parts
      .filter((part) => !tensors.has(`${module}.${part}`))
      .map((part) => {
        const [message, expected] = ['half of a LoRA pair is missing', `${module}.${part}`];
        return { code: 'peft/half', message, path: `${where}: ${module}`, expected };
      }),
  );
}

/** PEFT gives factors to the modules the config names, so tensors for others would be lost there without a word. */
export function checkTargets(stored: readonly string[], config: AdapterConfig, where: string): Fault[] {
  const adapted = targetMatcher(config.targets);
  const saved = targetMatcher(config.modulesToSave);
  const known = new Set(stored.flatMap((name) => adaptedModule(name) ?? []));
  return stored.flatMap((name) => {
    const lora = loraPart.test(name);
    const module = adaptedModule(name) ?? name;
    if (lora ? adapted(module) : parents(module).some(saved) || isTrainedBias(name, config, known)) return [];
    const key = lora ? 'target_modules' : 'modules_to_save';
    const message = `the adapter has weights for a module that ${key} does not name`;
    const expected = describeTargets(lora ? config.targets : config.modulesToSave);
    return [{ code: 'peft/target', message, path: `${where}: ${key}`, expected, got: module }];
  });
}

/** Biases of the base that stand in the file because the config trains them. */
function isTrainedBias(name: string, { bias }: AdapterConfig, adapted: ReadonlySet<string>): boolean {
  if (bias === undefined || !name.endsWith('bias')) return false;
  return bias === 'all' || adapted.has(name.replace(/\.bias$/, ''));
}

/** A module that is saved whole must be there with all its parameters. */
export function checkSaved(
  tensors: Shapes,
  base: Shapes,
  layout: Layout,
  config: AdapterConfig,
  where: string,
): Fault[] {
  return config.modulesToSave.flatMap((target) => {
    const saved = targetMatcher([target]);
    const wanted = [...base.keys()].filter((name) => parents(toFileName(layout, name) ?? name).some(saved));
    const absent = wanted.filter((name) => !tensors.has(name));
    if (wanted.length > 0 && absent.length === 0) return [];
    const message = `the adapter says it saves ${target} whole, but does not hold all of it`;
    const expected = absent.join(', ') || `a module named ${target} in the model`;
    return [{ code: 'peft/saved', message, path: `${where}: modules_to_save`, expected }];
  });
}

/** `a.b.c` gives `a`, `a.b`: the modules that a parameter is part of. */
function parents(parameter: string): string[] {
  const segments = parameter.split('.');
  return segments.slice(1).map((_, i) => segments.slice(0, i + 1).join('.'));
}

function describeTargets(targets: readonly string[] | string): string {
  return typeof targets === 'string' ? `a name that fits ${targets}` : targets.join(', ') || '(none)';
}
