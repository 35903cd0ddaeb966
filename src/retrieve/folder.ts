import { type ImageProcessor, loadTokenizer, type Tokenizer } from '../data/index.ts';
import { join } from '../files/index.ts';
import { processorOf } from '../generate/index.ts';
import {
  type LoadedModel,
  type Model,
  modelPlace,
  openModel,
  readOptionalJsonObject,
  sideFolder,
} from '../models/index.ts';
import type { ParameterStore } from '../nn/index.ts';
import type { Engine } from '../runtime/index.ts';
import { comparingOf } from './comparing.ts';

/** Everything that it takes to search with a model. */
export interface RetrieverParts {
  readonly engine: Engine;
  readonly model: Model;
  readonly store: ParameterStore;
  readonly tokenizer: Tokenizer;
  /** How images are prepared; as the model's configuration has it when absent. */
  readonly processor?: ImageProcessor;
}

/**
 * Loads what it takes to search with a model: weights, tokenizer and image processor.
 * @param where a Hugging Face folder, or a run folder with such a one
 * @param options.adapter a PEFT folder whose adapter is added to the model
 * @param options.loaded the model of the folder, where it is loaded already
 * @throws TesseraError `model/cannot` for a model that compares no images with texts; or for what is missing or does not fit
 */
export async function loadForRetrieval(
  where: string,
  engine: Engine,
  { adapter, loaded }: { readonly adapter?: string | undefined; readonly loaded?: LoadedModel | undefined } = {},
): Promise<RetrieverParts> {
  const place = modelPlace(where, adapter);
  const { folder } = place;
  const { model, store } = loaded ?? openModel(place);
  const processor = processorOf(folder, readOptionalJsonObject(join(folder, 'config.json')) ?? {});
  comparingOf(model, processor, join(folder, 'config.json'));
  const tokenizer = await loadTokenizer(sideFolder(place, 'tokenizer.json'));
  return { engine, model, store, tokenizer, ...(processor && { processor }) };
}
