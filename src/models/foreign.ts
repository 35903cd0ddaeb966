import { TesseraError } from '../base/index.ts';
import { basename, isJsonObject, join, lookUp, namesIn, pathExists, resolve } from '../files/index.ts';
import { type JsonObject, type JsonValue, readJsonObject } from './weights/index.ts';

/*
 * Folders that hold a model in a form that is not read, or not all of it: each has one fault that names the cause.
 */

/**
 * Weights in few bits, as bitsandbytes, GPTQ, AWQ and others save them, have other names, types and shapes.
 * @throws TesseraError `model/quantized`
 */
export function refuseQuantized(config: JsonObject, path: string): void {
  const found = Object.entries(quantizations(config));
  if (found.length === 0) return;
  const [[key, settings]] = found as [[string, JsonObject]];
  const method = settings.quant_method ?? 'unknown';
  throw quantized(`${settings.quant_method ?? 'another tool'}`, `${path}: ${key}`, `quant_method ${method}`);
}

/** Files beside the weights in which older tools say how they rounded them. */
const roundingFiles = ['quantize_config.json', 'quant_config.json'];

/**
 * As `refuseQuantized`, where a file of its own says it.
 * @throws TesseraError `model/quantized`
 */
export function refuseRounded(folder: string): void {
  const name = roundingFiles.find((file) => pathExists(join(folder, file)));
  if (name === undefined) return;
  const { quant_method: method, bits, w_bit } = readJsonObject(join(folder, name));
  const width = bits ?? w_bit;
  const got = width === undefined ? 'settings of a rounding' : `weights of ${width} bits`;
  throw quantized(typeof method === 'string' ? method : 'GPTQ or AWQ', join(folder, name), got);
}

/**
 * Refuses a file that holds a projector and nothing else of the model that its folder describes.
 * @throws TesseraError `model/projector-alone`
 */
export function refuseProjectorAlone(names: Iterable<string>, folder: string): void {
  const isProjector = (name: string) => /(?:^|\.)(?:mm_projector|multi_modal_projector)\./.test(name);
  const held = [...names];
  if (held.length === 0 || !held.every(isProjector)) return;
  throw new TesseraError({
    code: 'model/projector-alone',
    message: 'the weights are those of a projector alone; the models that it joins are not here',
    path: folder,
    expected: 'the weights of the language model and of the vision tower beside it',
    got: held.slice(0, 4).join(', '),
    remedy:
      'load the projector into the whole model with the tool that trained it, and save that; or train a projector on the ' +
      'two models, with model.vision and model.language in a recipe',
  });
}

/**
 * Refuses the name of a tower that is not read, before it is looked for, so that nobody fetches it in vain.
 * @throws TesseraError `model/tower`
 */
export function refuseOtherTower(name: string): void {
  if (!pathExists(name) && isOtherTower(name)) throw otherTower('model.vision', name);
}

const isOtherTower = (name: string) => /siglip|dino|convnext|eva[-_]?clip/i.test(basename(name));

/** Tensors that stand for weights in few bits, by the tools that write them. */
const packed: readonly (readonly [tool: string, tensors: RegExp])[] = [
  ['bitsandbytes', /\.(?:absmax|nested_absmax|quant_map|SCB|quant_state\..*)$/],
  ['GPTQ or AWQ', /\.(?:qweight|qzeros)$/],
  ['compressed-tensors', /\.weight_packed$/],
];

/**
 * As `refuseQuantized`, where the configuration does not say it.
 * @throws TesseraError `model/quantized`
 */
export function refusePacked(names: Iterable<string>, folder: string): void {
  for (const name of names) {
    const [tool] = packed.find(([, tensors]) => tensors.test(name)) ?? [];
    if (tool !== undefined) throw quantized(tool, folder, `a tensor ${name}`);
  }
}

/**
 * Refuses llama.cpp's file, named itself or the only weights of a folder.
 * @throws TesseraError `model/gguf`
 */
export function refuseGguf(where: string): void {
  const names = lookUp(where)?.kind === 'folder' ? namesIn(where) : [basename(where)];
  const file = names.find((name) => /\.gguf$/i.test(name));
  if (
    file === undefined ||
    names.some((name) => /\.(?:safetensors|bin|json)$/.test(name) && /model|recipe|adapter/.test(name))
  )
    return;
  throw new TesseraError({
    code: 'model/gguf',
    message: 'the weights are a GGUF file of llama.cpp, which tessera does not read',
    path: where,
    expected: 'a Hugging Face folder with config.json and model.safetensors',
    got: file,
    remedy: 'take the folder that it was made from; model cards of GGUF files name it as their base model',
  });
}

function quantized(tool: string, path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'model/quantized',
    message: `the weights are rounded to few bits by ${tool}, which tessera does not read`,
    path,
    expected: 'weights in float32, bfloat16 or float16',
    got,
    remedy:
      'take the folder that it was made from and give --quantize to the verbs that answer; or load this one in ' +
      'transformers, where `model.dequantize()` can undo its method, and save that',
  });
}

/** Settings of a rounding, here or in a part such as `text_config`. */
function quantizations(config: JsonObject, place = ''): Record<string, JsonValue> {
  const found: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!isJsonObject(value)) continue;
    if (key === 'quantization_config' || key === 'compression_config') found[place + key] = value;
    else if (key.endsWith('_config')) Object.assign(found, quantizations(value, `${place}${key}: `));
  }
  return found;
}

/**
 * The folder of the vision tower that the first LLaVA release names, often by its name on the hub: as a path from the
 * model's folder or the working directory, or a folder of its last name in or beside the model's.
 * @throws TesseraError `model/tower`
 */
export function originalTower(folder: string, config: JsonObject): string {
  const name = String(config.mm_vision_tower);
  const last = basename(name);
  const places = [resolve(folder, name), resolve(name), join(folder, last), resolve(folder, '..', last)];
  const found = places.find((place) => pathExists(join(place, 'config.json')));
  if (found !== undefined) return found;
  if (isOtherTower(name)) throw otherTower(`${join(folder, 'config.json')}: mm_vision_tower`, name);
  throw new TesseraError({
    code: 'model/tower',
    message: 'the vision tower of the model is a model of its own, and it is not here',
    path: `${join(folder, 'config.json')}: mm_vision_tower`,
    expected: name,
    got: 'no folder of that name in the model folder or beside it',
    remedy: `download ${name} and put its folder at ${resolve(folder, '..', last)}`,
  });
}

function otherTower(path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'model/tower',
    message: 'the vision tower of the model is of a kind that tessera does not read',
    path,
    expected: 'a tower of CLIP',
    got,
    remedy: 'take a tower of CLIP, such as openai/clip-vit-large-patch14-336, or a model that was trained with one',
  });
}
