import { raise } from '../../base/index.ts';
import { join } from '../../files/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import { writeCheckpoint } from './checkpoint-write.ts';
import type { SaveDType } from './convert.ts';
import { readJsonObject, writeJsonObject } from './folder.ts';
import type { Layout } from './layouts.ts';
import { fromFileName, toFileName } from './layouts.ts';
import { renameForFile } from './name-map.ts';
import { checkParts, checkSaved, checkShapes, checkTargets, type Shapes } from './peft-checks.ts';
import type { AdapterConfig } from './peft-config.ts';
import { adapterConfigJson, rankOfModule, readAdapterConfig } from './peft-config.ts';
import { adaptedModule, baseName, keysOfNames, namesOfKeys } from './peft-names.ts';

/** Parameters by tessera's names. */
export type WeightMap = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> }
>;

/** A LoRA adapter in tessera's names. */
export interface Adapter {
  readonly config: AdapterConfig;
  /**
   * `<module>.lora_A.weight` `[r, in]`, `<module>.lora_B.weight` `[out, r]`, with DoRA `<module>.lora_magnitude_vector`
   * `[out]`, and under their own names the parameters that were trained whole: modules and biases.
   */
  readonly tensors: WeightMap;
  /** Rank and alpha of adapted modules that have others than the config's. */
  readonly ranks: ReadonlyMap<string, { readonly r: number; readonly alpha: number }>;
}

/**
 * Reads a PEFT LoRA folder: `adapter_config.json` and `adapter_model.safetensors`.
 * @param base parameters of the model the adapter is for, by tessera's names; every tensor is held against them
 * @param layouts tried in turn; PEFT writes the names that modules have in memory, such as `llava-runtime`
 * @returns `config.targets` stays as the file has it, in the names of the layout found
 * @throws TesseraError `peft/…` for a setting tessera does not carry out, a key that is no LoRA key, a half without its
 * other half, an unknown module, a wrong shape, a module that a list of the config does not name. A pattern of targets is
 * not run over the names, since the tensors say which modules are adapted and a hostile pattern could take for ever.
 */
export function readAdapter(folder: string, base: Shapes, layouts: readonly Layout[]): Adapter & { layout: Layout } {
  const path = join(folder, 'adapter_config.json');
  const config = readAdapterConfig(readJsonObject(path), path);
  const checkpoint = openCheckpoint(folder, 'adapter_model');
  const stored = namesOfKeys([...checkpoint.tensors.keys()], folder);
  const layout = bestLayout([...stored.values()], base, layouts);
  const ranks = new Map<string, { r: number; alpha: number }>();
  for (const module of new Set([...stored.values()].flatMap((name) => adaptedModule(name) ?? []))) {
    const rank = rankOfModule(config, module);
    if (rank.r !== config.r || rank.alpha !== config.alpha) ranks.set(fromFileName(layout, module) ?? module, rank);
  }
  const named = [...stored].map(([key, name]) => [fromFileName(layout, name) ?? name, key] as const);
  const shapes = new Map(named.map(([name, key]) => [name, checkpoint.tensors.get(key) ?? { shape: [] }]));
  raise([
    ...checkShapes(shapes, base, (module) => ranks.get(module)?.r ?? config.r, folder),
    ...checkParts(shapes, config, folder),
    ...(typeof config.targets === 'string' ? [] : checkTargets([...stored.values()], config, folder)),
    ...checkSaved(shapes, base, layout, config, folder),
  ]);
  const tensors = new Map(
    named.map(([name, key]) => [name, { shape: shapes.get(name)?.shape ?? [], data: checkpoint.read(key) }]),
  );
  return { config, tensors, ranks, layout };
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
  const config = {
    ...adapter.config,
    targets: targetsOf(adapter.config.targets, renamed.keys()),
    ...patternsOf(adapter, layout),
  };
  const where = join(folder, 'adapter_model.safetensors');
  raise([
    ...checkShapes(adapter.tensors, base, (module) => adapter.ranks.get(module)?.r ?? config.r, where),
    ...checkParts(adapter.tensors, config, where),
    ...checkTargets([...renamed.keys()], config, where),
    ...checkSaved(adapter.tensors, base, layout, config, where),
  ]);
  const keyed = keysOfNames(renamed);
  writeCheckpoint(folder, keyed, { ...options, stem: 'adapter_model', maxShardBytes: Number.POSITIVE_INFINITY });
  writeJsonObject(join(folder, 'adapter_config.json'), adapterConfigJson(config));
}

function targetsOf(targets: AdapterConfig['targets'], names: Iterable<string>): AdapterConfig['targets'] {
  if (targets.length > 0) return targets;
  return [...new Set([...names].flatMap((name) => adaptedModule(name) ?? []))].sort();
}

/** Ranks and alphas by whole names, which say the same whatever patterns they came from. */
function patternsOf({ config, ranks }: Adapter, layout: Layout): Pick<AdapterConfig, 'rankPattern' | 'alphaPattern'> {
  const named = [...ranks].map(([module, rank]) => [toFileName(layout, module) ?? module, rank] as const);
  const others = (key: 'r' | 'alpha') =>
    Object.fromEntries(named.filter(([, rank]) => rank[key] !== config[key]).map(([name, rank]) => [name, rank[key]]));
  return { rankPattern: others('r'), alphaPattern: others('alpha') };
}

function bestLayout(stored: readonly string[], base: Shapes, layouts: readonly Layout[]): Layout {
  const fits = (layout: Layout) =>
    stored.filter((name) => base.has(baseName(fromFileName(layout, name) ?? name))).length;
  const [first, ...others] = layouts;
  if (!first) return { name: 'none', rules: [['', '']] };
  return others.reduce((best, layout) => (fits(layout) > fits(best) ? layout : best), first);
}
