export { attachAdapter, loadAdapter, mergeAdapter, peftTargets } from './adapters.ts';
export {
  type CausalModel,
  type ContrastiveModel,
  forward,
  type Model,
  modelFromConfig,
  type PictureShape,
  parameterSpecs,
  type VisionModel,
} from './catalog.ts';
export type { ConfigJson } from './config.ts';
export type { CacheShape } from './decoders/cache.ts';
export { modelFolder, trainedModel } from './folder.ts';
export { pairInputs, pictureInputs, tokenInput } from './inputs.ts';
export { copyPart, createModel, fileForm, type LoadedModel, loadModel, modelLayouts, saveModel } from './load.ts';
export { clipJson, clipVisionJson, llamaJson, llavaJson, type SizeName, visionPart } from './sizes.ts';
export * from './weights/index.ts';
