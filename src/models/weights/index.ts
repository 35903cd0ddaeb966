export type { JsonObject, JsonValue } from '../../files/index.ts';
export type { Checkpoint } from './checkpoint.ts';
export { openCheckpoint } from './checkpoint.ts';
export type { CheckpointOptions } from './checkpoint-write.ts';
export { writeCheckpoint } from './checkpoint-write.ts';
export type { SaveDType } from './convert.ts';
export { copySideFiles } from './copy-side-files.ts';
export { fetchFolder } from './fetch-folder.ts';
export { hubRemedy, readJsonObject, readOptionalJsonObject, writeJsonObject } from './folder.ts';
export type { Layout } from './layouts.ts';
export {
  clipLayouts,
  clipVisionLayouts,
  llamaLayouts,
  llamaOriginalLayout,
  llavaLayouts,
  mountLayouts,
} from './layouts.ts';
export type { MatchOptions, NameMatch } from './name-map.ts';
export { loadWeights, matchNames, renameForFile } from './name-map.ts';
export type { Adapter, WeightMap } from './peft.ts';
export { readAdapter, writeAdapter } from './peft.ts';
export type { AdapterConfig } from './peft-config.ts';
export type { SafetensorsFile } from './safetensors.ts';
export { openSafetensors, readTensor } from './safetensors.ts';
export type { StoredTensor } from './safetensors-header.ts';
export type { TensorSource, WriteOptions } from './safetensors-write.ts';
export { writeSafetensors } from './safetensors-write.ts';
