import { TesseraError } from '../base/index.ts';
import {
  type ChatTemplate,
  findTemplate,
  type ImageProcessor,
  loadTemplate,
  loadTokenizer,
  readImageProcessor,
} from '../data/index.ts';
import { join } from '../files/index.ts';
import {
  type JsonObject,
  type LoadedModel,
  type ModelPlace,
  modelPlace,
  modelThat,
  openModel,
  originalTower,
  readOptionalJsonObject,
  sideFolder,
} from '../models/index.ts';
import type { Engine } from '../runtime/index.ts';
import { type Quantization, quantizeWeights } from './quantize.ts';
import type { SpeakerParts } from './speaker.ts';

export interface LoadOptions {
  readonly adapter?: string | undefined;
  readonly template?: ChatTemplate | string | undefined;
  readonly system?: string | undefined;
  readonly quantize?: Quantization | undefined;
  readonly loaded?: LoadedModel | undefined;
}

/**
 * Loads what it takes to speak with a model: weights, tokenizer, chat template, image processor and the tokens that end
 * an answer.
 * @param where a Hugging Face folder, or a run folder with such a one
 * @param options.adapter a PEFT folder whose adapter is added to the model
 * @param options.template in the place of the folder's own; a text names a built-in one or a file
 * @param options.system what every conversation opens with
 * @param options.quantize rounds the language model's matrices to so many bits
 * @param options.loaded the model of the folder, where it is loaded already
 * @throws TesseraError for whatever is missing or does not fit, naming the file
 */
export async function loadForGeneration(
  where: string,
  engine: Engine,
  options: LoadOptions = {},
): Promise<SpeakerParts> {
  const place = modelPlace(where, options.adapter);
  const { folder } = place;
  const { model: read, store } = options.loaded ?? openModel(place);
  const model = modelThat('writer', read, join(folder, 'config.json'));
  const config = readOptionalJsonObject(join(folder, 'config.json')) ?? {};
  const processor = model.image && processorOf(folder, config);
  const parts = {
    engine,
    model,
    store,
    fixed: true,
    tokenizer: await loadTokenizer(sideFolder(place, 'tokenizer.json')),
    template: await chosenTemplate(place, options.template),
    system: options.system,
    ...(processor && { processor }),
    stopIds: stopIdsOf(folder, config),
  };
  return options.quantize ? quantizeWeights(parts, options.quantize) : parts;
}

async function chosenTemplate(place: ModelPlace, given: ChatTemplate | string | undefined): Promise<ChatTemplate> {
  if (given === undefined) return placeTemplate(place);
  return typeof given === 'string' ? findTemplate(given) : given;
}

/** The prompt that comes with the adapter, or else that of its base. */
export async function placeTemplate({ folder, adapter }: ModelPlace): Promise<ChatTemplate> {
  if (adapter === undefined) return loadTemplate(folder);
  return loadTemplate(adapter).catch((error) => {
    if (error instanceof TesseraError && error.code === 'chat/template-missing') return loadTemplate(folder);
    throw error;
  });
}

/** The first LLaVA release keeps preprocessing with the vision tower, and whether to pad with the model. */
export function processorOf(folder: string, config: JsonObject): ImageProcessor | undefined {
  const own = folderProcessor(folder);
  if (own || typeof config.mm_vision_tower !== 'string') return own;
  const towers = folderProcessor(originalTower(folder, config));
  return towers && { ...towers, padToSquare: config.image_aspect_ratio === 'pad' };
}

/** How the images of a Hugging Face folder are prepared, from either of the files that say so; undefined when none does. */
export function folderProcessor(folder: string): ImageProcessor | undefined {
  for (const name of ['preprocessor_config.json', 'processor_config.json']) {
    const path = join(folder, name);
    const json = readOptionalJsonObject(path);
    const describes = name === 'preprocessor_config.json' || json?.image_processor !== undefined;
    if (json && describes) return readImageProcessor(json, path);
  }
  return undefined;
}

/** `eos_token_id` of the generation configuration, or of the model's: one id, several or none. */
function stopIdsOf(folder: string, config: JsonObject): number[] {
  const path = join(folder, 'generation_config.json');
  const entry = readOptionalJsonObject(path)?.eos_token_id ?? config.eos_token_id ?? [];
  const ids = [entry].flat();
  if (ids.every((id): id is number => typeof id === 'number')) return ids;
  throw new TesseraError({
    code: 'generate/stop-ids',
    message: 'eos_token_id is neither a token id nor a list of them',
    path: `${path} eos_token_id`,
    expected: 'a number or a list of numbers',
    got: JSON.stringify(entry),
  });
}
