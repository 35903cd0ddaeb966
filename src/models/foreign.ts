import { TesseraError } from '../base/index.ts';
import { basename, isJsonObject, join, lookUp, namesIn, pathExists, resolve } from '../files/index.ts';
import type { JsonObject, JsonValue } from './weights/index.ts';

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
  if (/siglip|dino|convnext/i.test(last)) throw otherTower(folder, name);
  throw new TesseraError({
    code: 'model/tower',
    message: 'the vision tower of the model is a model of its own, and it is not here',
    path: `${join(folder, 'config.json')}: mm_vision_tower`,
    expected: name,
    got: 'no folder of that name in the model folder or beside it',
    remedy: `download ${name} and put its folder at ${resolve(folder, '..', last)}`,
  });
}

function otherTower(folder: string, got: string): TesseraError {
  return new TesseraError({
    code: 'model/tower',
    message: 'the vision tower of the model is of a kind that tessera does not read',
    path: `${join(folder, 'config.json')}: mm_vision_tower`,
    expected: 'a tower of CLIP',
    got,
    remedy: 'take a model that was trained with a tower of CLIP',
  });
}
