export { isLoraPart } from './adapters/lora.ts';
export { mergeLora } from './adapters/merge.ts';
export { type AttentionOptions, attention, type CausalBlock, causalBias, causalBlocks, keyBias } from './attention.ts';
export { embedding, splice } from './embed.ts';
export { type Init, kaimingUniform, normal, onesInit, zerosInit } from './init.ts';
export { type LinearOptions, linear } from './linear.ts';
export { layerNormAt, rmsNormAt } from './norm.ts';
export { type Lora, type ParameterSpec, ParameterTrace, Scope } from './params.ts';
export { alibiBias, alibiSlopes, bicubicGrid, rotaryFrequencies, rotaryTables, rowPositions } from './position.ts';
export { dequantizeMatrix, type QuantizeOptions, quantizeMatrix } from './quantize.ts';
export {
  allocateStore,
  copyStore,
  type FlatStore,
  fillStore,
  initializeStore,
  type ParameterStore,
  storeOf,
} from './store.ts';
