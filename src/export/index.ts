export { writeAdapterExport } from './adapter.ts';
export { hubName, modelCard, portable, type TrainedStage } from './model-card.ts';
export { type ModelFolderOptions, type SpeakingModel, writeModelFolder } from './model-folder.ts';
export { writeOnnx } from './onnx.ts';
export { writeTransformersJs } from './transformers-js.ts';
