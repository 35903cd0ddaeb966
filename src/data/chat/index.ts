export type { ChatTokens, RenderOptions, Segment } from './render.ts';
export { chatTokens, renderChat, renderedText } from './render.ts';
export { stopStrings } from './stops.ts';
export type { ChatTemplate } from './template.ts';
export { builtinTemplate, builtinTemplateNames, createTemplate, loadTemplate } from './template.ts';
export { trainingTemplate } from './training.ts';
