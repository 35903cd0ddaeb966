export type { Lora } from './adapters/lora.ts';
export { type AttentionOptions, attention, causalBias, keyBias } from './attention.ts';
export { embedding, splice } from './embed.ts';
export { type Init, initialize, kaimingUniform, normal, onesInit, zerosInit } from './init.ts';
export { type LinearOptions, linear } from './linear.ts';
export { layerNormAt, rmsNormAt } from './norm.ts';
export { type ParameterSpec, ParameterTrace, Scope } from './params.ts';
export { bicubicGrid, rotaryTables, rowPositions } from './position.ts';
export { allocateStore, fillStore, initializeStore, type ParameterStore } from './store.ts';
