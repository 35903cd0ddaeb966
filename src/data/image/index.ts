export type { DecodeOptions } from './decode.ts';
export { decodeImage } from './decode.ts';
export type { ImagePlan, ImageProcessor, ImageStep } from './processor.ts';
export { clipCrop, clipPad, planImage, processImage } from './processor.ts';
export { readImageProcessor, writeImageProcessor } from './processor-config.ts';
export type { ResampleFilter } from './resample.ts';
export type { RgbImage, Size } from './rgb.ts';
export { imageSize } from './size.ts';
export type { ImageSource } from './source.ts';
