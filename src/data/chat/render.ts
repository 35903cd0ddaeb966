import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import type { Tokenizer } from '../tokenize/index.ts';
import { splitAt } from '../tokenize/index.ts';
import { checkTexts } from './complete.ts';
import { markMessage, readMarks, withoutMarks } from './marks.ts';
import type { ChatTokens, Segment } from './segment.ts';
import { renderShape } from './shape.ts';
import type { ChatTemplate } from './template.ts';

/** What a template may use of a tokenizer. */
export function chatTokens(tokenizer: Tokenizer, image?: string): ChatTokens {
  if (image !== undefined && !tokenizer.specials.has(image)) {
    throw new TesseraError({
      code: 'chat/image-token',
      message: 'the image token is no special token of the tokenizer',
      path: 'tokenizer.json added_tokens',
      expected: `one of ${[...tokenizer.specials.keys()].join(' ')}`,
      got: image,
    });
  }
  return {
    ...(tokenizer.bos !== undefined && { bos: tokenizer.tokenOf(tokenizer.bos) }),
    ...(tokenizer.eos !== undefined && { eos: tokenizer.tokenOf(tokenizer.eos) }),
    specials: [...tokenizer.specials.keys()],
    ...(image !== undefined && { image }),
  };
}

export interface RenderOptions {
  /** Ends with what opens the assistant's turn, so that the model goes on from there. */
  readonly generationPrompt?: boolean;
}

/**
 * Renders a conversation in one pass to segments that know their origin and whether they are supervised. Special tokens
 * and image placeholders are recognised in the template's own text alone; the same letters in a message stay text.
 * A foreign template is rendered once more without marks and must give the same characters; otherwise it looks inside
 * messages, what it printed has no certain origin, and it is refused.
 */
export function renderChat(
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  options: RenderOptions = {},
): Segment[] {
  const render = (mark: typeof markMessage) => renderWith(mark, template, turns, tokens, options);
  const settings = [tokens.bos, tokens.eos, tokens.image, options.generationPrompt];
  const marked = renderShape(template, turns, settings, render) ?? render(markMessage);
  if (!template.builtin && withoutMarks(marked) !== renderPlain(template, turns, tokens, options))
    looksInside(template);
  const segments = cutSpecials(marked, tokens);
  checkTexts(template, turns, segments);
  return placeImages(segments, turns, tokens);
}

/** The characters that a template prints for a conversation, origins unknown. */
export function renderPlain(
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  options: RenderOptions = {},
): string {
  return withoutMarks(renderWith((text) => text, template, turns, tokens, options));
}

function renderWith(
  mark: (text: string, turn: number) => string,
  template: ChatTemplate,
  turns: readonly Turn[],
  tokens: ChatTokens,
  { generationPrompt = false }: RenderOptions,
): string {
  return template.render({
    messages: turns.map((turn, at) => message(turn, template, tokens, (text) => mark(text, at))),
    bos_token: tokens.bos ?? '',
    eos_token: tokens.eos ?? '',
    add_generation_prompt: generationPrompt,
  });
}

/** The prompt as one text, special tokens and placeholders spelled out. */
export function renderedText(segments: readonly Segment[]): string {
  return segments.map((segment) => segment.text).join('');
}

type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'image' };

function message(turn: Turn, template: ChatTemplate, { image }: ChatTokens, mark: (text: string) => string): unknown {
  const parts = turn.parts.map(
    (part): Part => (part.type === 'text' ? { type: 'text', text: mark(part.text) } : { type: 'image' }),
  );
  const shown = parts.some((part) => part.type === 'image');
  if (!shown || (template.content === 'parts' && (image === undefined || template.showsImages(image)))) {
    return { role: turn.role, content: template.content === 'parts' ? parts : joined(parts, '') };
  }
  // A template that knows no images gets the placeholder as words of the turn, on a line before what follows it.
  const text = joined(parts, image ?? noImages());
  return { role: turn.role, content: template.content === 'parts' ? [{ type: 'text', text }] : text };
}

function joined(parts: readonly Part[], image: string): string {
  return parts.map((part, i) => (part.type === 'text' ? part.text : image + (parts[i + 1] ? '\n' : ''))).join('');
}

function cutSpecials(marked: string, tokens: ChatTokens): Segment[] {
  return readMarks(marked).flatMap(({ text, supervised, turn }): Segment[] => {
    if (turn !== undefined) return [{ text, supervised, source: 'message', turn }];
    return splitAt(text, tokens.specials).map((piece) => ({
      text: piece.text,
      supervised,
      source: piece.special ? 'special' : 'template',
    }));
  });
}

function placeImages(segments: readonly Segment[], turns: readonly Turn[], tokens: ChatTokens): Segment[] {
  const images = turns.flatMap((turn) => turn.parts).flatMap((part) => (part.type === 'media' ? [part.media] : []));
  let next = 0;
  const placed = segments.map((segment) => {
    if (segment.source !== 'special' || segment.text !== tokens.image) return segment;
    const image = images[next++];
    return { ...segment, ...(image !== undefined && { image }) };
  });
  if (next === images.length) return placed;
  throw new TesseraError({
    code: 'chat/image-count',
    message: 'the template prints another number of image placeholders than the conversation has images',
    expected: `${images.length}`,
    got: `${next}`,
    ...(tokens.image === undefined && { remedy: 'this system takes no images' }),
  });
}

function noImages(): never {
  throw new TesseraError({
    code: 'chat/no-images',
    message: 'the model takes text only',
    expected: 'a model with an image encoder',
    remedy: 'leave the images out',
  });
}

function looksInside(template: ChatTemplate): never {
  throw new TesseraError({
    code: 'chat/template-rewrites',
    message: 'the template changes or tests the text of messages, so the origin of its output is not certain',
    path: template.name,
    remedy: 'use a template that prints messages as they are (trimming is fine)',
  });
}
