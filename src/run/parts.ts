import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Log, TesseraError } from '../base/index.ts';
import {
  type ChatTemplate,
  clipCrop,
  clipPad,
  createTokenizer,
  type ImageProcessor,
  loadTokenizer,
  type Processor,
  promptWords,
  type Tokenizer,
  trainBpe,
  withSpecialToken,
} from '../data/index.ts';
import { folderProcessor, placeTemplate, processorOf } from '../generate/index.ts';
import {
  architectures,
  type ConfigJson,
  copyPart,
  createModel,
  isOriginalLlava,
  type LoadedAdapter,
  type LoadedModel,
  loadAdapter,
  loadModel,
  type ModelImage,
  type ModelPlace,
  modelFromConfig,
  modelPlace,
  openModel,
  partPrefix,
  readJsonObject,
  refuseOtherTower,
  type SystemRecipe,
  sideFolder,
  trainedModel,
  visionPart,
  withTokenRow,
} from '../models/index.ts';
import { initializeStore } from '../nn/index.ts';
import type { ModelRecipe, Plan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';

/** The special token that stands for an image, as LLaVA's conversion to transformers calls it. */
const imageToken = '<image>';

/** A model with all that turns rows into its inputs. */
export interface Parts {
  readonly loaded: LoadedModel;
  readonly tokenizer: Tokenizer;
  /** Absent for a model without eyes. */
  readonly processor?: ImageProcessor;
  /** The token that stands for an image. */
  readonly imageToken?: string;
  /** The prompt that the folder comes with. */
  readonly template?: ChatTemplate;
  /** What the first stage goes on from, beside the model. */
  readonly adapter?: LoadedAdapter | undefined;
}

/** Reads the folders of a model; its adapter stays apart where training is going on from it. */
export async function partsFromPlace(place: ModelPlace, goesOn: boolean): Promise<Parts> {
  const config = readJsonObject(join(place.folder, 'config.json'));
  const own = await loadTokenizer(sideFolder(place, 'tokenizer.json'));
  const read = goesOn ? loadModel(place.folder) : openModel(place);
  const { loaded, tokenizer } = isOriginalLlava(config) ? withSlotToken(read, own) : { loaded: read, tokenizer: own };
  const adapter = goesOn && place.adapter !== undefined ? { adapter: loadAdapter(place.adapter, loaded) } : {};
  const { model } = loaded;
  const words = { loaded, tokenizer, ...adapter, ...(await templateOf(place)) };
  if (!model.image || (!model.writer && !model.embedder)) return words;
  const imageToken = model.image.tokenId === undefined ? undefined : tokenizer.tokenOf(model.image.tokenId);
  return {
    ...words,
    processor: processorOf(place.folder, config) ?? usualProcessor(model.image),
    ...(imageToken !== undefined && { imageToken }),
  };
}

/** The first LLaVA release marks images by an id that is no token; as in its conversion to transformers they get one. */
function withSlotToken(read: LoadedModel, own: Tokenizer): { loaded: LoadedModel; tokenizer: Tokenizer } {
  const tokenizer = withSpecialToken(own, imageToken);
  const id = tokenizer.specials.get(imageToken) as number;
  const grown = withTokenRow(read, id, 0);
  const model = modelFromConfig({ ...grown.model.json, image_token_index: id });
  return { loaded: { ...grown, model }, tokenizer };
}

async function templateOf(place: ModelPlace): Promise<{ template?: ChatTemplate }> {
  try {
    return { template: await placeTemplate(place) };
  } catch (error) {
    // A folder without a template is fine for a model that only reads text; training names its own.
    if (error instanceof TesseraError && error.code === 'chat/template-missing') return {};
    throw error;
  }
}

/**
 * The model a plan starts from: a whole folder, or new parts joined to those that folders give.
 * @param corpus texts for a tokenizer that has to be trained first
 * @param log hears what the parts need to fit together
 */
export async function buildParts(
  plan: Plan,
  corpus: () => Promise<readonly string[]>,
  log?: Log | undefined,
): Promise<Parts> {
  const { model } = plan;
  if (model.from !== undefined) return withEyes(plan, await partsFromPlace(...startOf(model)));
  const seed = plan.stages[0]?.train.seed ?? 0;
  const { fresh, joined, beside, tokens, ends } = architectures[model.architecture] as SystemRecipe;
  const own = tokens?.(model) ?? [];
  if (joined) return joinedParts(model, joined, { tokens: beside ? own : [imageToken, ...own], ends, seed, log });
  if (!fresh) throw onlyFrom(model);
  return freshParts(model, fresh, { tokens: own, seed, corpus });
}

/** A model of a built-in size, with the words of a folder or of the rows. */
async function freshParts(
  model: ModelRecipe,
  fresh: NonNullable<SystemRecipe['fresh']>,
  { tokens, seed, corpus }: Pick<NewTokens, 'tokens' | 'seed'> & { readonly corpus: () => Promise<readonly string[]> },
): Promise<Parts> {
  const words = model.tokenizer
    ? await loadTokenizer(tokenizerFolder(locate(model.tokenizer as string)))
    : trainTokenizer(await corpus(), model.vocab_size as number | undefined);
  const tokenizer = tokens.reduce(withSpecialToken, words);
  const loaded = createModel(
    fresh(model.size ?? 'tiny', tokenizer, { tokenIds: Object.fromEntries(tokenizer.specials), values: model }),
  );
  initializeStore(loaded.store, seed);
  const { image } = loaded.model;
  if (!image) return { loaded, tokenizer };
  const mark = image.tokenId === undefined ? {} : { imageToken: tokenizer.tokenOf(image.tokenId) };
  return { loaded, tokenizer, processor: usualProcessor(image), ...mark };
}

/** How images are prepared for a model whose files do not say it. */
function usualProcessor({ prepared, height }: ModelImage): ImageProcessor {
  return prepared ?? clipCrop(height);
}

/** The folders that a model starts from, and whether their adapter is one to go on from. */
function startOf(model: ModelRecipe): [ModelPlace, boolean] {
  const adapter = model.adapter === undefined ? undefined : locate(model.adapter);
  return [modelPlace(locate(model.from as string), adapter), adapter !== undefined];
}

/** What a folder holds shows only when it is read; found out after the training, it would be too late. */
function withEyes(plan: Plan, parts: Parts): Parts {
  const { model } = parts.loaded;
  if (plan.eval.tasks.length === 0 || (model.writer && model.image)) return parts;
  throw new TesseraError({
    code: 'recipe/eval',
    message: 'every evaluation asks about images, and the model of this folder cannot answer such questions',
    path: `model.from ${plan.model.from}`,
    expected: 'a model with an image encoder and a language model, or no eval section',
    got: model.architecture,
    remedy: 'take eval out; eval=null on the command line does',
  });
}

/** A tokenizer may stand in a folder alone, or in that of a model. */
function tokenizerFolder(folder: string): string {
  return existsSync(join(folder, trainedModel)) ? modelPlace(folder).folder : folder;
}

function onlyFrom({ architecture }: ModelRecipe): TesseraError {
  return new TesseraError({
    code: 'recipe/missing',
    message: `a new ${architecture} model cannot be made`,
    path: 'model.from',
    remedy: 'give model.from, the folder of one',
  });
}

/** The vocabulary also learns the words of the prompts, so that a prompt costs few tokens. */
function trainTokenizer(corpus: readonly string[], vocabSize = 1024): Tokenizer {
  const often = promptWords.flatMap((text) => Array<string>(50).fill(text));
  return createTokenizer(trainBpe([...corpus, ...often], { vocabSize, added: [imageToken, '<pad>'] }));
}

/** A vision tower and a language model, each from its folder, as one model. */
async function joinedParts(
  model: ModelRecipe,
  joined: NonNullable<SystemRecipe['joined']>,
  settings: NewTokens,
): Promise<Parts> {
  // Checked with the recipe: a model that starts from no folder as a whole names both.
  const place = modelPlace(locate(model.language as string));
  refuseOtherTower(locate(model.vision as string));
  const vision = modelPlace(locate(model.vision as string)).folder;
  const { tokenizer, decoder, grown } = await withTokens(place, settings);
  const eyes = loadModel(vision);
  const tower = visionPart(readJsonObject(join(vision, 'config.json')), vision);
  const tokenIds = Object.fromEntries(tokenizer.specials);
  const parts = {
    vision: tower,
    language: languageJson(decoder),
    tokenIds,
    imageTokenId: settings.tokens.includes(imageToken) ? tokenIds[imageToken] : undefined,
  };
  const loaded = createModel(joined({ ...parts, values: model }));
  initializeStore(loaded.store, settings.seed);
  copyPart(decoder, partPrefix(decoder.model, 'language'), loaded.store, partPrefix(loaded.model, 'language'));
  copyPart(eyes, partPrefix(eyes.model, 'vision'), loaded.store, partPrefix(loaded.model, 'vision'));
  const processor = folderProcessor(vision) ?? usualProcessor(loaded.model.image as ModelImage);
  // A language model that an adapter or a row was added to is not the one of its folder.
  const asRead = place.adapter === undefined && !grown;
  const from = { vision, ...(asRead && { language: place.folder }) };
  const mark = parts.imageTokenId === undefined ? {} : { imageToken };
  return { loaded: { ...loaded, from }, tokenizer, ...mark, processor, ...(await templateOf(place)) };
}

interface NewTokens {
  /** Special tokens that the model has use for. */
  readonly tokens: readonly string[];
  /** The one that ends a text. */
  readonly ends?: string | undefined;
  readonly seed: number;
  readonly log: Log | undefined;
}

/** A language model and its words, with a token and a row of its tables for each of these where it has none. */
async function withTokens(place: ModelPlace, { tokens, ends, seed, log }: NewTokens) {
  let tokenizer = await loadTokenizer(sideFolder(place, 'tokenizer.json'));
  const read = openModel(place);
  let decoder = read;
  for (const token of tokens) {
    const longer = withSpecialToken(tokenizer, token);
    if (longer === tokenizer) continue;
    const id = longer.specials.get(token) as number;
    const grown = withTokenRow(decoder, id, seed, token === ends ? endOf(read) : undefined);
    const rows = [decoder, grown].map(({ model }) => model.writer?.vocabSize);
    log?.info(
      `the tokenizer of ${place.folder} has no ${token}: it is added as token ${id}` +
        (rows[0] === rows[1] ? '' : `, and the tables of tokens grow from ${rows.join(' to ')} rows`),
    );
    [tokenizer, decoder] = [longer, grown];
  }
  return { tokenizer, decoder, grown: decoder !== read };
}

/** The token that ends a text of a language model; undefined where its configuration names none. */
function endOf({ model: { json } }: LoadedModel): number | undefined {
  const end = Array.isArray(json.eos_token_id) ? json.eos_token_id[0] : json.eos_token_id;
  return typeof end === 'number' ? end : undefined;
}

/** A language model's configuration as a part of another's: whether its head is its embedding is said, not left to its kind. */
function languageJson({ model, store }: LoadedModel): ConfigJson {
  return { ...model.json, tie_word_embeddings: !store.specs.has('lm_head.weight') };
}

/** How rows of a stage become the model's inputs. */
export function stageReader(parts: Parts, images: 'crop' | 'pad' | undefined): Processor {
  return parts.loaded.model.processor(stageProcessor(parts, images));
}

/** How a stage wants its images; cropping and padding keep the size and statistics of the folder. */
export function stageProcessor(parts: Parts, images: 'crop' | 'pad' | undefined): ImageProcessor | undefined {
  if (!parts.processor || images === undefined) return parts.processor;
  const side = parts.loaded.model.image?.height as number;
  const made = images === 'pad' ? clipPad(side) : clipCrop(side);
  return {
    ...made,
    normalize: parts.processor.normalize,
    rescale: parts.processor.rescale,
    filter: parts.processor.filter,
  };
}
