import { join } from 'node:path';
import type { Fault } from '../../base/index.ts';
import { formatShape, raise, sameShape } from '../../base/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import { writeCheckpoint } from './checkpoint-write.ts';
import type { SaveDType } from './convert.ts';
import { readJsonObject, writeJsonObject } from './folder.ts';
import type { Layout } from './layouts.ts';
import { fromFileName, toFileName } from './layouts.ts';
import { renameForFile } from './name-map.ts';
import type { AdapterConfig } from './peft-config.ts';
import { adapterConfigJson, readAdapterConfig, targetMatcher } from './peft-config.ts';

/** Parameters by tessera's names. */
export type WeightMap = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> }
>;

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** A LoRA adapter in tessera's names. */
export interface Adapter {
  readonly config: AdapterConfig;
  /**
   * `<module>.lora_A.weight` `[r, in]`, `<module>.lora_B.weight` `[out, r]`, and under their own names the parameters of
   * the modules that were trained whole.
   */
  readonly tensors: WeightMap;
}

const keyPrefix = 'base_model.model.';
const half = /\.lora_([AB])\.weight$/;

/**
 * Reads a PEFT LoRA folder: `adapter_config.json` and `adapter_model.safetensors`.
 * @param base parameters of the model the adapter is for, by tessera's names; every tensor is held against them
 * @param layouts tried in turn; PEFT writes the names that modules have in memory, such as `llava-runtime`
 * @returns `config.targets` stays as the file has it, in the names of the layout found
 * @throws TesseraError `peft/…` for a setting tessera does not carry out, a key that is no LoRA key, a half without its
 * other half, an unknown module, a wrong shape, a module that a list of the config does not name. A pattern is not run
 * over the names, since the tensors say which modules are adapted and a hostile pattern could take for ever.
 */
export function readAdapter(folder: string, base: Shapes, layouts: readonly Layout[]): Adapter & { layout: Layout } {
  const path = join(folder, 'adapter_config.json');
  const config = readAdapterConfig(readJsonObject(path), path);
  const checkpoint = openCheckpoint(folder, 'adapter_model');
  const stored = stripPrefix([...checkpoint.tensors.keys()], folder);
  const layout = bestLayout(stored, base, layouts);
  const names = new Map(stored.map((name) => [name, fromFileName(layout, name) ?? name]));
  const shapes = new Map([...names].map(([s, n]) => [n, checkpoint.tensors.get(keyPrefix + s) ?? { shape: [] }]));
  raise([
    ...checkShapes(shapes, base, config.r, folder),
    ...(typeof config.targets === 'string' ? [] : checkTargets(stored, config, folder)),
    ...checkSaved(shapes, base, layout, config, folder),
  ]);
  const tensors = new Map(
    Array.from(names, ([s, n]) => [n, { shape: shapes.get(n)?.shape ?? [], data: checkpoint.read(keyPrefix + s) }]),
  );
  return { config, tensors, layout };
}

/**
 * Writes the two files of a PEFT LoRA folder into `folder`, under the names of `layout`.
 * `config.targets` and `config.modulesToSave` are read in the names of the layout; without targets (`[]`), the exact
 * modules are listed, so that no module of the same ending in another part, such as the vision tower, is adapted.
 * @throws TesseraError as `readAdapter`.
 */
export function writeAdapter(
  folder: string,
  adapter: Adapter,
  base: Shapes,
  layout: Layout,
  options: { readonly dtype?: SaveDType } = {},
): void {
  const renamed = renameForFile(adapter.tensors, layout);
  const config = { ...adapter.config, targets: targetsOf(adapter.config.targets, renamed.keys()) };
  const where = join(folder, 'adapter_model.safetensors');
  raise([
    ...checkShapes(adapter.tensors, base, config.r, where),
    ...checkTargets([...renamed.keys()], config, where),
    ...checkSaved(adapter.tensors, base, layout, config, where),
  ]);
  const prefixed = new Map([...renamed].map(([name, tensor]) => [keyPrefix + name, tensor]));
  writeCheckpoint(folder, prefixed, { ...options, stem: 'adapter_model', maxShardBytes: Number.POSITIVE_INFINITY });
  writeJsonObject(join(folder, 'adapter_config.json'), adapterConfigJson(config));
}

function targetsOf(targets: AdapterConfig['targets'], names: Iterable<string>): AdapterConfig['targets'] {
  if (targets.length > 0) return targets;
  return [...new Set([...names].filter((name) => half.test(name)).map((name) => name.replace(half, '')))].sort();
}

function stripPrefix(keys: readonly string[], folder: string): string[] {
  const faults: Fault[] = [];
  for (const key of keys) {
    if (key.startsWith(keyPrefix) && (half.test(key) || !/lora_|modules_to_save/.test(key))) continue;
    const expected = `${keyPrefix}<module>.lora_A.weight, .lora_B.weight or ${keyPrefix}<parameter>`;
    const message = 'the adapter holds a tensor that tessera does not know';
    faults.push({ code: 'peft/key', message, path: `${folder}: adapter_model`, expected, got: key });
  }
  raise(faults);
  return keys.map((key) => key.slice(keyPrefix.length));
}

function bestLayout(stored: readonly string[], base: Shapes, layouts: readonly Layout[]): Layout {
  const fits = (layout: Layout) =>
    stored.filter((name) => base.has(baseName(fromFileName(layout, name) ?? name))).length;
  const [first, ...others] = layouts;
  if (!first) return { name: 'none', rules: [['', '']] };
  return others.reduce((best, layout) => (fits(layout) > fits(best) ? layout : best), first);
}

/** The parameter of the base model that a tensor of the adapter belongs to. */
function baseName(name: string): string {
  return name.replace(half, '.weight');
}

function checkShapes(tensors: Shapes, base: Shapes, r: number, where: string): Fault[] {
  const faults: Fault[] = [];
  for (const [name, { shape }] of tensors) {
    const path = `${where}: ${name}`;
    const of = base.get(baseName(name));
    const [, side] = half.exec(name) ?? [];
    const other = side && name.replace(half, `.lora_${side === 'A' ? 'B' : 'A'}.weight`);
    if (!of) {
      const expected = `${baseName(name)} in the model`;
      faults.push({ code: 'peft/unknown-module', message: 'the adapter belongs to another model', path, expected });
      continue;
    }
    if (other && !tensors.has(other)) {
      faults.push({ code: 'peft/half', message: 'half of a LoRA pair is missing', path, expected: other });
    }
    const [out = 0, inner = 0] = of.shape;
    const want = side === 'A' ? [r, inner] : side === 'B' ? [out, r] : of.shape;
    if (side && of.shape.length !== 2) {
      const got = formatShape(of.shape);
      faults.push({
        code: 'peft/not-linear',
        message: 'LoRA on what is no linear layer',
        path,
        expected: '[out, in]',
        got,
      });
    } else if (!sameShape(want, shape)) {
      const [expected, got] = [formatShape(want), formatShape(shape)];
      faults.push({ code: 'peft/shape', message: 'a tensor of the adapter has a wrong shape', path, expected, got });
    }
  }
  return faults;
}

/** PEFT gives A and B to the modules the config names, so tensors for others would be lost there without a word. */
function checkTargets(stored: readonly string[], config: AdapterConfig, where: string): Fault[] {
  const adapted = targetMatcher(config.targets);
  const saved = targetMatcher(config.modulesToSave);
  const faults: Fault[] = [];
  for (const name of stored) {
    const lora = half.test(name);
    const module = lora ? name.replace(half, '') : name;
    if (lora ? adapted(module) : parents(module).some(saved)) continue;
    const key = lora ? 'target_modules' : 'modules_to_save';
    const message = `the adapter has weights for a module that ${key} does not name`;
    const expected = describeTargets(lora ? config.targets : config.modulesToSave);
    faults.push({ code: 'peft/target', message, path: `${where}: ${key}`, expected, got: module });
  }
  return faults;
}

/** A module that is saved whole must be there with all its parameters. */
function checkSaved(tensors: Shapes, base: Shapes, layout: Layout, config: AdapterConfig, where: string): Fault[] {
  const faults: Fault[] = [];
  for (const target of config.modulesToSave) {
    const saved = targetMatcher([target]);
    const wanted = [...base.keys()].filter((name) => parents(toFileName(layout, name) ?? name).some(saved));
    const absent = wanted.filter((name) => !tensors.has(name));
    if (wanted.length > 0 && absent.length === 0) continue;
    const message = `the adapter says it saves ${target} whole, but does not hold all of it`;
    const expected = absent.join(', ') || `a module named ${target} in the model`;
    faults.push({ code: 'peft/saved', message, path: `${where}: modules_to_save`, expected });
  }
  return faults;
}

/** `a.b.c` gives `a`, `a.b`: the modules that a parameter is part of. */
function parents(parameter: string): string[] {
  const segments = parameter.split('.');
  return segments.slice(1).map((_, i) => segments.slice(0, i + 1).join('.'));
}

function describeTargets(targets: readonly string[] | string): string {
  return typeof targets === 'string' ? `a name that fits ${targets}` : targets.join(', ') || '(none)';
}
