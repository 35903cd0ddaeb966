import { z } from 'zod';
import type { Fault } from '../../base/index.ts';
import { nearest, raise, TesseraError } from '../../base/index.ts';
import type { ImageProcessor } from './processor.ts';
import { clipCrop, clipSquash, lanczosCrop, siglip } from './processor.ts';
import type { ResampleFilter } from './resample.ts';
import type { Size } from './rgb.ts';

/** PIL's numbers of the filters, which is how the files name them. */
const FILTERS: readonly ResampleFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

type Family = 'CLIP' | 'LLaVA' | 'SigLIP' | 'BLIP' | 'Chameleon';

/** Class names in files, less a suffix `Fast` or `Pil`, and the values each class has when the file says nothing. */
const TYPES: Readonly<Record<string, Family>> = {
  CLIPImageProcessor: 'CLIP',
  CLIPFeatureExtractor: 'CLIP',
  LlavaImageProcessor: 'LLaVA',
  SiglipImageProcessor: 'SigLIP',
  BlipImageProcessor: 'BLIP',
  ChameleonImageProcessor: 'Chameleon',
};

const DEFAULTS: Readonly<Record<Family, ImageProcessor>> = {
  CLIP: clipCrop(224),
  LLaVA: clipCrop(224),
  SigLIP: siglip({ width: 224, height: 224 }),
  BLIP: clipSquash(384),
  // Its class of transformers takes 0.0078 for 2/255.
  Chameleon: { ...lanczosCrop(512), rescale: 0.0078, normalize: { mean: [1, 1, 1], std: [1, 1, 1] } },
};

/** Keys that change no pixel here. */
const INERT = new Set([
  'processor_class',
  'auto_map',
  '_valid_processor_keys',
  'default_to_square',
  'data_format',
  'input_data_format',
  'return_tensors',
  'device',
  'disable_grouping',
  'image_seq_length',
  'size_divisor',
  'do_convert_rgb',
  'use_square_size',
]);

const side = z.int().positive().max(8192);
const square = z.strictObject({ height: side, width: side });
const flag = z.boolean().nullish();
const level = z.number().min(-1e6).max(1e6);
const triple = z.union([z.tuple([level, level, level]), level]).nullish();

const schema = z.object({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: flag,
  size: z.union([side, z.strictObject({ shortest_edge: side }), square]).nullish(),
  resample: z
    .int()
    .min(0)
    .max(FILTERS.length - 1)
    .nullish(),
  do_center_crop: flag,
  crop_size: z.union([side, square]).nullish(),
  do_rescale: flag,
  rescale_factor: z.number().positive().max(1e6).nullish(),
  do_normalize: flag,
  image_mean: triple,
  image_std: triple,
  do_pad: flag,
  pad_size: z.null().optional(),
  image_aspect_ratio: z.enum(['pad', 'square']).nullish(),
});

type Config = z.infer<typeof schema>;

/** What each key takes, for messages. */
const EXPECTED: Readonly<Record<string, string>> = {
  size: 'a number of pixels, {shortest_edge} or {height, width}',
  crop_size: 'a number of pixels or {height, width}',
  resample: `a filter number: ${FILTERS.map((name, i) => `${i} ${name}`).join(', ')}`,
  image_mean: 'three numbers',
  image_std: 'three numbers other than 0',
  image_aspect_ratio: 'pad or square',
  pad_size: 'null: images are padded to a square only',
};

/**
 * Reads the content of a `preprocessor_config.json`, or of a `processor_config.json` that has an `image_processor`.
 * Absent keys take the defaults of the class the file names. Knows the processors of CLIP, LLaVA, SigLIP, BLIP and Chameleon.
 *
 * @param json the parsed file
 * @param where the file's name, for messages
 * @throws TesseraError `image-processor/type`, `image-processor/value`, `image-processor/unknown-key`, all faults at once
 */
export function readImageProcessor(json: unknown, where: string): ImageProcessor {
  const file = asObject(json, where);
  if ('image_processor' in file && !('image_processor_type' in file)) {
    return readImageProcessor(file.image_processor, `${where} image_processor`);
  }
  const family = familyOf(file, where);
  const parsed = schema.safeParse(file);
  const faults = [...unknownKeys(file, where), ...(parsed.success ? [] : valueFaults(parsed.error, file, where))];
  raise(faults);
  return build(parsed.data as Config, family, where);
}

function asObject(json: unknown, where: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new TesseraError({
    code: 'image-processor/value',
    message: 'an image processor is described by a JSON object',
    path: where,
    got: JSON.stringify(json)?.slice(0, 60) ?? 'undefined',
  });
}

function familyOf(file: Record<string, unknown>, where: string): Family {
  const named = file.image_processor_type ?? file.feature_extractor_type;
  const plain = typeof named === 'string' ? named.replace(/(Fast|Pil)$/, '') : '';
  const family = Object.hasOwn(TYPES, plain) ? TYPES[plain] : undefined;
  if (family) return family;
  throw new TesseraError({
    code: 'image-processor/type',
    message: named === undefined ? 'the file names no image processor' : 'this image processor is not known',
    path: `${where} image_processor_type`,
    expected: Object.keys(TYPES).join(', '),
    ...(named !== undefined && { got: String(named) }),
  });
}

function unknownKeys(file: Record<string, unknown>, where: string): Fault[] {
  const known = Object.keys(schema.shape);
  return Object.keys(file)
    .filter((key) => !known.includes(key) && !INERT.has(key) && file[key] !== null)
    .map((key) => {
      const near = nearest(key, known);
      return {
        code: 'image-processor/unknown-key',
        message: 'the image processor has a key that is not known',
        path: `${where} ${key}`,
        got: JSON.stringify(file[key]).slice(0, 60),
        remedy: near ? `did you mean ${near}?` : 'remove the key if images do not depend on it',
      };
    });
}

function valueFaults(error: z.ZodError, file: Record<string, unknown>, where: string): Fault[] {
  const keys = new Set(error.issues.map((issue) => String(issue.path[0])));
  return [...keys].map((key) => ({
    code: 'image-processor/value',
    message: 'the image processor has a value that is not supported',
    path: `${where} ${key}`,
    expected: EXPECTED[key] ?? (key.startsWith('do_') ? 'true or false' : 'a positive number'),
    got: JSON.stringify(file[key]).slice(0, 60),
  }));
}

function build(config: Config, family: Family, where: string): ImageProcessor {
  const base = DEFAULTS[family];
  const crop = config.crop_size == null ? base.crop : sizeOf(config.crop_size);
  const on = (switched: boolean | null | undefined, byDefault: boolean) => switched ?? byDefault;
  return {
    padToSquare: padsToSquare(config, family, where),
    resize: on(config.do_resize, true) ? resizeOf(config.size, base) : undefined,
    filter: config.resample == null ? base.filter : (FILTERS[config.resample] as ResampleFilter),
    crop: on(config.do_center_crop, family !== 'SigLIP' && family !== 'BLIP')
      ? (crop ?? missingCrop(where))
      : undefined,
    rescale: on(config.do_rescale, true) ? (config.rescale_factor ?? base.rescale) : undefined,
    normalize: on(config.do_normalize, true) ? statistics(config, base, where) : undefined,
  };
}

function sizeOf(size: number | Size): Size {
  return typeof size === 'number' ? { width: size, height: size } : { width: size.width, height: size.height };
}

function resizeOf(size: Config['size'], base: ImageProcessor): ImageProcessor['resize'] {
  if (size == null) return base.resize;
  if (typeof size === 'number') return { short: size };
  return 'shortest_edge' in size ? { short: size.shortest_edge } : { exact: sizeOf(size) };
}

function missingCrop(where: string): never {
  throw new TesseraError({
    code: 'image-processor/value',
    message: 'a centre crop is asked for, but not how large',
    path: `${where} crop_size`,
    expected: EXPECTED.crop_size as string,
  });
}

/** `do_pad` is LLaVA's own key in transformers, `image_aspect_ratio` that of the original code. */
function padsToSquare(config: Config, family: Family, where: string): boolean {
  const byAspect = config.image_aspect_ratio == null ? undefined : config.image_aspect_ratio === 'pad';
  const byFlag = config.do_pad ?? undefined;
  if (byFlag === true && family !== 'LLaVA') {
    throw new TesseraError({
      code: 'image-processor/value',
      message: 'only LlavaImageProcessor pads to a square by do_pad',
      path: `${where} do_pad`,
      got: 'true',
      remedy: 'set image_processor_type to LlavaImageProcessor, or image_aspect_ratio to pad',
    });
  }
  if (family === 'LLaVA' && byAspect !== undefined && byFlag !== undefined && byAspect !== byFlag) {
    throw new TesseraError({
      code: 'image-processor/value',
      message: 'do_pad and image_aspect_ratio contradict each other',
      path: `${where} do_pad`,
      got: `do_pad ${byFlag}, image_aspect_ratio ${config.image_aspect_ratio}`,
      remedy: 'remove one of the two',
    });
  }
  const pads = byAspect ?? byFlag ?? false;
  if (pads && config.do_normalize === false) {
    throw new TesseraError({
      code: 'image-processor/value',
      message: 'padding takes its colour from the mean, so it needs normalisation',
      path: `${where} do_normalize`,
      expected: 'true',
      got: 'false',
    });
  }
  return pads;
}

function statistics(config: Config, base: ImageProcessor, where: string): NonNullable<ImageProcessor['normalize']> {
  const mean = threefold(config.image_mean) ?? base.normalize?.mean;
  const std = threefold(config.image_std) ?? base.normalize?.std;
  if (mean && std?.every((value) => Math.abs(value) >= 1e-6)) return { mean, std };
  throw new TesseraError({
    code: 'image-processor/value',
    message: 'the image processor would divide by zero',
    path: `${where} image_std`,
    expected: EXPECTED.image_std as string,
    got: JSON.stringify(config.image_std),
  });
}

function threefold(value: Config['image_mean']): [number, number, number] | undefined {
  if (value == null) return undefined;
  return typeof value === 'number' ? [value, value, value] : value;
}

/**
 * The content of a `preprocessor_config.json` that transformers reads to the same effect: padding makes it a
 * LlavaImageProcessor, plain squashing with SigLIP's statistics a SiglipImageProcessor, the rest a CLIPImageProcessor.
 */
export function writeImageProcessor(processor: ImageProcessor): Record<string, unknown> {
  const { padToSquare, resize, filter, crop, rescale, normalize } = processor;
  const half = normalize?.mean.every((v) => v === 0.5) && normalize.std.every((v) => v === 0.5);
  const isSiglip = !padToSquare && !crop && half === true && resize !== undefined && 'exact' in resize;
  return {
    image_processor_type: padToSquare
      ? 'LlavaImageProcessor'
      : isSiglip
        ? 'SiglipImageProcessor'
        : 'CLIPImageProcessor',
    do_convert_rgb: true,
    do_resize: resize !== undefined,
    ...(resize && { size: 'short' in resize ? { shortest_edge: resize.short } : rowsFirst(resize.exact) }),
    resample: FILTERS.indexOf(filter),
    ...(!isSiglip && { do_center_crop: crop !== undefined }),
    ...(crop && { crop_size: rowsFirst(crop) }),
    do_rescale: rescale !== undefined,
    ...(rescale !== undefined && { rescale_factor: rescale }),
    do_normalize: normalize !== undefined,
    ...(normalize && { image_mean: [...normalize.mean], image_std: [...normalize.std] }),
    ...(padToSquare && { do_pad: true, image_aspect_ratio: 'pad' }),
  };
}

const rowsFirst = ({ width, height }: Size) => ({ height, width });
