import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { clipCrop, clipPad, clipSquash, lanczosCrop, processImage, siglip } from './processor.ts';
import { readImageProcessor, writeImageProcessor } from './processor-config.ts';

const read = (json: unknown) => readImageProcessor(json, 'preprocessor_config.json');

const fault = (json: unknown) => faultOf(() => read(json));

/** As the Hub holds it for CLIP ViT-L/14-336. */
const oldStyle = {
  crop_size: 336,
  do_center_crop: true,
  do_normalize: true,
  do_resize: true,
  feature_extractor_type: 'CLIPFeatureExtractor',
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  resample: 3,
  size: 336,
};

describe('readImageProcessor', () => {
  it('reads the oldest style, with bare numbers', () => {
    expect(read(oldStyle)).toEqual(clipCrop(336));
  });

  it('takes the defaults of the class for absent keys', () => {
    expect(read({ image_processor_type: 'CLIPImageProcessorFast' })).toEqual(clipCrop(224));
    expect(read({ image_processor_type: 'SiglipImageProcessor', size: { height: 384, width: 300 } })).toEqual(
      siglip({ width: 300, height: 384 }),
    );
    expect(read({ image_processor_type: 'BlipImageProcessor' })).toEqual(clipSquash(384));
  });

  it('reads padding under either name', () => {
    expect(read({ ...oldStyle, image_aspect_ratio: 'pad' })).toEqual(clipPad(336));
    expect(read({ image_processor_type: 'LlavaImageProcessor', do_pad: true })).toEqual(clipPad(224));
  });

  it('reads the processor_config.json of transformers 5', () => {
    expect(read({ processor_class: 'LlavaProcessor', image_processor: oldStyle })).toEqual(clipCrop(336));
  });

  it('skips steps that are switched off', () => {
    const off = { do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false };
    expect(read({ ...oldStyle, ...off })).toMatchObject({
      resize: undefined,
      crop: undefined,
      rescale: undefined,
      normalize: undefined,
    });
  });
});

describe('readImageProcessor refuses', () => {
  it('a processor it does not know', () => {
    expect(fault({ ...oldStyle, image_processor_type: 'FuyuImageProcessor' }).toJSON()).toMatchInlineSnapshot(`
      {
        "code": "image-processor/type",
        "expected": "CLIPImageProcessor, CLIPFeatureExtractor, LlavaImageProcessor, SiglipImageProcessor, BlipImageProcessor, ChameleonImageProcessor",
        "got": "FuyuImageProcessor",
        "message": "this image processor is not known",
        "path": "preprocessor_config.json image_processor_type",
      }
    `);
    expect(fault({}).message).toBe('the file names no image processor');
    expect(fault([1]).code).toBe('image-processor/value');
  });

  it('unknown keys and wrong values, all at once', () => {
    const error = fault({ ...oldStyle, resample: 9, do_rescal: true, size: { longest_edge: 3 }, image_std: [1, 2] });
    expect(error.toJSON()).toMatchInlineSnapshot(`
      {
        "code": "image-processor/unknown-key",
        "got": "true",
        "message": "the image processor has a key that is not known",
        "others": [
          {
            "code": "image-processor/value",
            "expected": "a number of pixels, {shortest_edge} or {height, width}",
            "got": "{"longest_edge":3}",
            "message": "the image processor has a value that is not supported",
            "path": "preprocessor_config.json size",
          },
          {
            "code": "image-processor/value",
            "expected": "a filter number: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming",
            "got": "9",
            "message": "the image processor has a value that is not supported",
            "path": "preprocessor_config.json resample",
          },
          {
            "code": "image-processor/value",
            "expected": "three numbers other than 0",
            "got": "[1,2]",
            "message": "the image processor has a value that is not supported",
            "path": "preprocessor_config.json image_std",
          },
        ],
        "path": "preprocessor_config.json do_rescal",
        "remedy": "did you mean do_rescale?",
      }
    `);
  });

  it('contradictions', () => {
    const llava = { image_processor_type: 'LlavaImageProcessor' };
    expect(fault({ ...llava, do_pad: false, image_aspect_ratio: 'pad' }).message).toContain('contradict');
    expect(fault({ ...oldStyle, do_pad: true }).remedy).toContain('LlavaImageProcessor');
    expect(fault({ ...llava, do_pad: true, do_normalize: false }).message).toContain('needs normalisation');
    for (const type of ['__proto__', 'constructor']) {
      expect(fault({ ...oldStyle, image_processor_type: type }).code).toBe('image-processor/type');
    }
    for (const edit of [{ image_mean: 1e308 }, { image_std: 1e-300 }, { rescale_factor: 1e300 }, { size: 1e9 }]) {
      expect(fault({ ...oldStyle, ...edit }).code).toBe('image-processor/value');
    }
    expect(fault({ ...oldStyle, image_std: 0 }).message).toContain('divide by zero');
    expect(fault({ image_processor_type: 'SiglipImageProcessor', do_center_crop: true }).path).toContain('crop_size');
  });
});

it("Chameleon's class in transformers takes 0.0078 for 2/255", () => {
  const processor = read({
    image_processor_type: 'ChameleonImageProcessorFast',
    size: { shortest_edge: 4 },
    crop_size: 4,
  });
  expect(processor).toMatchObject({ filter: 'lanczos', resize: { short: 4 }, crop: { width: 4, height: 4 } });
  const white = { width: 4, height: 4, data: new Uint8Array(48).fill(255) };
  expect(processImage(white, processor).data[0]).toBeCloseTo(0.989, 6);
  expect(processImage(white, lanczosCrop(4)).data[0]).toBe(1);
});

describe('writeImageProcessor', () => {
  it('writes what reads back the same', () => {
    const odd = { ...clipCrop(20), crop: { width: 18, height: 16 }, filter: 'lanczos', rescale: undefined } as const;
    for (const processor of [
      clipCrop(336),
      clipPad(28),
      clipSquash(30),
      siglip({ width: 8, height: 6 }),
      lanczosCrop(8),
      odd,
    ]) {
      expect(read(JSON.parse(JSON.stringify(writeImageProcessor(processor))))).toEqual(processor);
    }
  });

  it('names the class that does the same in transformers', () => {
    const type = (p: Parameters<typeof writeImageProcessor>[0]) => writeImageProcessor(p).image_processor_type;
    expect([clipCrop(9), clipPad(9), clipSquash(9), siglip({ width: 9, height: 9 })].map(type)).toEqual([
      'CLIPImageProcessor',
      'LlavaImageProcessor',
      'CLIPImageProcessor',
      'SiglipImageProcessor',
    ]);
  });
});
