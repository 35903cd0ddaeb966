import type { Tensor } from '../base/index.ts';
import { isLoraPart, type Lora } from '../nn/index.ts';
import type { LoadedModel } from './loaded.ts';
import { withIdentity, withSecondLayer } from './one-layer-projector.ts';
import { type Adapter, type Layout, type WeightMap, writeAdapter } from './weights/index.ts';
import { toFileName } from './weights/layouts.ts';

/** An adapter as it is in memory. */
export interface AdapterParts {
  readonly lora: Lora;
  /** Its own parameters, and those of the base that are saved whole. */
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
  /** What files call its base: a hub name, or a path from the adapter's folder. */
  readonly baseName: string | null;
}

/**
 * Writes an adapter of a model in PEFT layout, under the names that its modules have in transformers.
 * @throws TesseraError as `writeAdapter`.
 */
export function saveAdapter(folder: string, base: LoadedModel, parts: AdapterParts): void {
  const { model } = base;
  const usual = model.layouts[0] as Layout;
  const layout = model.layouts.find(({ name }) => name === `${model.architecture}-runtime`) ?? usual;
  const adapter = describe(parts, base, layout);
  const tensors = withIdentity(adapter.tensors, adapter.config.modulesToSave, base);
  writeAdapter(folder, { ...adapter, tensors }, withSecondLayer(base).store.specs, layout);
}

function describe({ lora, tensors, baseName }: AdapterParts, base: LoadedModel, layout: Layout): Adapter {
  const biases = [...tensors.keys()].filter((path) => isLoneBias(path, tensors));
  const adapted = biases.every((path) => tensors.has(path.replace(/bias$/, 'lora_A.weight')));
  return {
    config: {
      r: lora.r,
      alpha: lora.alpha,
      dropout: lora.dropout?.rate ?? 0,
      targets: [],
      modulesToSave: wholeModules(tensors, base, layout),
      taskType: base.model.writer?.source ? 'SEQ_2_SEQ_LM' : 'CAUSAL_LM',
      base: baseName,
      rslora: lora.stabilised,
      dora: lora.directional,
      ...(biases.length > 0 && { bias: adapted ? 'lora_only' : 'all' }),
    },
    tensors,
    ranks: ranksOf(lora, tensors),
  };
}

function ranksOf(lora: Lora, tensors: WeightMap): Adapter['ranks'] {
  const modules = [...tensors.keys()].filter((path) => path.endsWith('.lora_A.weight'));
  return new Map(
    modules.flatMap((path) => {
      const module = path.replace(/\.lora_A\.weight$/, '');
      const rank = lora.rankOf?.(module);
      return rank ? [[module, rank]] : [];
    }),
  );
}

/** A bias without the weight beside it is no module of its own: PEFT saves such by a setting. */
function isLoneBias(path: string, tensors: WeightMap): boolean {
  return path.endsWith('.bias') && !tensors.has(path.replace(/bias$/, 'weight'));
}

/** A part of the model that is saved with all it holds by its name, and anything else by the names of its modules. */
function wholeModules(tensors: WeightMap, { store }: LoadedModel, layout: Layout): string[] {
  const within = (part: string) => (path: string) => path.startsWith(`${part}.`);
  const complete = (part: string) =>
    [...store.specs.keys()].filter(within(part)).every((path) => tensors.has(path)) &&
    ![...tensors.keys()].filter(within(part)).some(isLoraPart);
  const modules = [...tensors.keys()]
    .filter((path) => !isLoraPart(path) && !isLoneBias(path, tensors))
    .map((path) => {
      const part = path.slice(0, path.indexOf('.'));
      if (complete(part)) return part;
      const stored = toFileName(layout, path) ?? path;
      return stored.slice(0, stored.lastIndexOf('.'));
    });
  return [...new Set(modules)];
}
