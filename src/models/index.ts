export { saveAdapter } from './adapter-save.ts';
export { attachAdapter, type LoadedAdapter, loadAdapter, mergeAdapter, openModel, peftTargets } from './adapters.ts';
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
export { type ModelPlace, modelPlace, sideFolder, trainedModel } from './folder.ts';
export { pairInputs, pictureInputs, tokenInput } from './inputs.ts';
export { copyPart, createModel, fileForm, type LoadedModel, loadModel, modelLayouts, saveModel } from './load.ts';
export { clipJson, clipVisionJson, llamaJson, llavaJson, type SizeName, visionPart } from './sizes.ts';
export * from './weights/index.ts';
