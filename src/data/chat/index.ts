export { answeredSegments, supervisedRange } from './answered.ts';
export { answerEndings } from './endings.ts';
export { unpromptedText } from './opening.ts';
export type { RenderOptions } from './render.ts';
export { chatTokens, renderChat, renderedText } from './render.ts';
export type { ChatTokens, Segment } from './segment.ts';
export { stopStrings } from './stops.ts';
export type { ChatTemplate } from './template.ts';
export { builtinTemplate, builtinTemplateNames, createTemplate, findTemplate, loadTemplate } from './template.ts';
