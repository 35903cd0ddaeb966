import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import {
  copySideFiles,
  type ModelPlace,
  modelFromConfig,
  modelPlace,
  openCheckpoint,
  readJsonObject,
  type SaveDType,
  writeCheckpoint,
  writeJsonObject,
} from '../models/index.ts';
import { hubName } from './model-card.ts';

const stem = 'adapter_model';
const config = 'adapter_config.json';

/**
 * Writes an adapter in PEFT layout with all that speaking with it takes beside: tokenizer, template, preprocessing, card.
 * @param place the model whose files those are, and the adapter
 */
export function writeAdapterExport(
  partial: string,
  place: Required<ModelPlace>,
  options: { readonly dtype: SaveDType; readonly out: string },
): void {
  const adapter = place.adapter as string;
  const stored = openCheckpoint(adapter, stem);
  const tensors = new Map(
    [...stored.tensors].map(([name, { shape }]) => [name, { shape, data: () => stored.read(name) }]),
  );
  writeCheckpoint(partial, tensors, { dtype: options.dtype, stem, maxShardBytes: Number.POSITIVE_INFINITY });
  const json = readJsonObject(join(adapter, config));
  const base = baseName(place, json.base_model_name_or_path, options.out);
  writeJsonObject(join(partial, config), { ...json, base_model_name_or_path: base });
  for (const source of [place.folder, adapter]) copySideFiles(source, partial);
  writeFileSync(join(partial, 'README.md'), adapterCard(base, json, place.folder));
}

/** What the exported files call the base: its name on the hub, or its path from the folder that is written. */
function baseName({ folder, adapter }: ModelPlace, named: unknown, out: string): string {
  const base = baseFolder(folder, adapter as string);
  if (base === undefined) return String(named);
  const path = join(base, 'config.json');
  return hubName(modelFromConfig(readJsonObject(path), path)) ?? relative(out, base);
}

/** A run's adapter names its base, which the trained model is not. */
function baseFolder(folder: string, adapter: string): string | undefined {
  if (!existsSync(join(adapter, '..', 'recipe.yaml'))) return folder;
  try {
    return modelPlace(adapter).folder;
  } catch {
    return undefined;
  }
}

/** The README.md of an adapter: what it is for and how it is used, and how it was trained where the model's card says. */
function adapterCard(base: string, json: ReturnType<typeof readJsonObject>, folder: string): string {
  const front = { library_name: 'peft', base_model: base, tags: ['tessera', 'lora'] };
  const card = join(folder, 'README.md');
  const [, training] = /\n(## Training\n[\s\S]*)$/.exec(existsSync(card) ? readFileSync(card, 'utf8') : '') ?? [];
  return [
    `---\n${stringify(front)}---`,
    `# LoRA adapter of rank ${json.r}`,
    `Its base is \`${base}\`.`,
    `## Use\n\n\`\`\`\ntessera chat <folder of the base> --adapter <this folder>\n\`\`\``,
    `\`\`\`python\nfrom peft import PeftModel\nmodel = PeftModel.from_pretrained(base, "<this folder>")\n\`\`\``,
    ...(training === undefined ? [''] : [training]),
  ].join('\n\n');
}
