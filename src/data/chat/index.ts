export { answeredSegments, supervisedRange } from './answered.ts';
export type { RenderOptions } from './render.ts';
export { chatTokens, renderChat, renderedText } from './render.ts';
export type { ChatTokens, Segment } from './segment.ts';
export { stopStrings } from './stops.ts';
export type { ChatTemplate } from './template.ts';
export { builtinTemplate, builtinTemplateNames, createTemplate, loadTemplate } from './template.ts';
