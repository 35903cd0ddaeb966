import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import type { Tokenizer } from '../tokenize/index.ts';
import { splitAt } from '../tokenize/index.ts';
import { countMessages, markMessage, readMarks, withoutMarks } from './marks.ts';
import type { ChatTemplate } from './template.ts';

/** A stretch of the prompt with one origin. A `special` segment is one special token, printed by the template. */
export interface Segment {
  readonly text: string;
  /** Whether the model has to produce it. */
  readonly supervised: boolean;
  readonly source: 'template' | 'message' | 'special';
  /** For an image placeholder: which of the row's images it stands for. */
  readonly image?: number;
}

/** The special tokens a template may print. */
export interface ChatTokens {
  readonly bos?: string;
  readonly eos?: string;
  readonly specials: readonly string[];
  readonly image?: string;
}

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
  { generationPrompt = false }: RenderOptions = {},
): Segment[] {
  const render = (mark: (text: string) => string) =>
    template.render({
      messages: turns.map((turn) => message(turn, template, mark)),
      bos_token: tokens.bos ?? '',
      eos_token: tokens.eos ?? '',
      add_generation_prompt: generationPrompt,
    });
  const marked = render(markMessage);
  if (!template.builtin && withoutMarks(marked) !== withoutMarks(render((text) => text))) looksInside(template);
  checkComplete(template, turns, countMessages(marked));
  return placeImages(cutSpecials(marked, tokens), turns, tokens);
}

/** The prompt as one text, special tokens and placeholders spelled out. */
export function renderedText(segments: readonly Segment[]): string {
  return segments.map((segment) => segment.text).join('');
}

function message(turn: Turn, template: ChatTemplate, mark: (text: string) => string): unknown {
  if (template.content === 'parts') {
    const content = turn.parts.map((part) =>
      part.type === 'text' ? { type: 'text', text: mark(part.text) } : { type: 'image' },
    );
    return { role: turn.role, content };
  }
  const texts = turn.parts.map((part) => (part.type === 'text' ? mark(part.text) : noImages(template)));
  return { role: turn.role, content: texts.join('') };
}

function checkComplete(template: ChatTemplate, turns: readonly Turn[], got: number): void {
  const texts = turns
    .filter((turn) => !template.discards.includes(turn.role))
    .flatMap((turn) => turn.parts)
    .filter((part) => part.type === 'text' && part.text.trim() !== '');
  if (texts.length === got) return;
  throw new TesseraError({
    code: 'chat/text-dropped',
    message: got < texts.length ? 'the template leaves out message texts' : 'the template repeats message texts',
    path: template.name,
    expected: `${texts.length} texts`,
    got: `${got}`,
    remedy: 'use a template that prints every message once',
  });
}

function cutSpecials(marked: string, tokens: ChatTokens): Segment[] {
  return readMarks(marked).flatMap(({ text, supervised, message }): Segment[] => {
    if (message) return [{ text, supervised, source: 'message' }];
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

function noImages(template: ChatTemplate): never {
  throw new TesseraError({
    code: 'chat/no-images',
    message: 'the chat template takes text only',
    path: template.name,
    remedy: 'use a template whose messages have parts, such as llava-1.5',
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
