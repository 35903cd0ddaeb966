import { type Tensor, TesseraError } from '../base/index.ts';
import { modelThat, type Painter } from '../models/index.ts';
import { type GenerateOptions, type GenerationRequest, generate } from './decode.ts';
import type { GenerationProgram } from './program.ts';
import { type Prompt, type PromptMedia, withAnswer } from './prompt.ts';
import type { Generated } from './row.ts';
import type { Guide } from './streams.ts';

/** Weights of Chameleon's guidance: how far codes are pulled towards the images of the prompt, and towards all of it. */
const TOWARDS_IMAGES = 1.2;
const TOWARDS_PROMPT = 3;

/** Numbers of random streams between two parts of an answer, so that no part repeats the draws of another. */
const STREAMS_APART = 2 ** 20;

/** A painter whose images have ids of their own around them. */
type Drawing = Painter & Required<Pick<Painter, 'around'>>;

/**
 * An answer in which images may stand: text until the id that begins an image, then codes alone, as many as an image has,
 * then the id that ends it, then text again. An image begins only where all of it has room.
 * @throws TesseraError as `generate`
 */
export async function writeAndDraw(
  program: GenerationProgram,
  request: GenerationRequest,
  options: GenerateOptions = {},
): Promise<Generated> {
  const { painter, writer } = program.model;
  if (!painter || !draws(painter)) return (await generate(program, [request], options))[0] as Generated;
  const [begin, end] = painter.around;
  const size = painter.perImage + 2;
  const codes = writer.unwritten ?? painter.codes;
  const codesAndBegin = [...codes, begin];
  const ids: number[] = [];
  let text = '';
  for (let part = 0; ; part += 2) {
    const room = request.maxTokens - ids.length;
    const asked = {
      ...withAnswer(request, ids),
      maxTokens: room,
      stream: streamOf(request, part),
      never: (taken: number) => (room - taken < size ? codesAndBegin : codes),
    };
    const stopIds = [...(options.stopIds ?? []), begin];
    const [said] = (await generate(program, [asked], { ...options, stopIds })) as [Generated];
    ids.push(...said.ids);
    text += said.text;
    const whole = { ids, text, promptTokens: request.ids.length };
    if (said.finish !== 'stop' || said.ids.at(-1) !== begin) return { ...whole, finish: said.finish };
    const to = { ...withAnswer(request, ids), stream: streamOf(request, part + 1) };
    const [drawn] = (await drawCodes(program, painter, [to], options)) as [Generated];
    ids.push(...drawn.ids);
    if (drawn.finish === 'cancelled') return { ...whole, finish: 'cancelled' };
    ids.push(end);
    if (ids.length >= request.maxTokens) return { ...whole, finish: 'length' };
  }
}

/**
 * Images that answer prompts, as pixels `[N, 3, H, W]` from 0 to 1, and nothing said.
 * @throws TesseraError `model/cannot`, `generate/cancelled`, and as `generate`
 */
export async function draw(
  program: GenerationProgram,
  prompts: readonly (Prompt & Pick<GenerationRequest, 'stream'>)[],
  options: GenerateOptions = {},
): Promise<Tensor<'float32'>> {
  const { painter } = modelThat('painter', program.model, 'draw');
  const begun = prompts.map((prompt) => (draws(painter) ? withAnswer(prompt, [painter.around[0]]) : prompt));
  const drawn = await drawCodes(program, painter, begun, options);
  if (drawn.some(({ finish }) => finish === 'cancelled')) {
    throw new TesseraError({ code: 'generate/cancelled', message: 'the drawing was stopped' });
  }
  const numbers = new Map(painter.codes.map((id, code) => [id, code]));
  return program.paint(drawn.map(({ ids }) => ids.map((id) => numbers.get(id) as number)));
}

/** The codes of an image behind each of these prompts, which may end with the id that begins one. */
function drawCodes(
  program: GenerationProgram,
  painter: Painter,
  prompts: readonly (Prompt & Pick<GenerationRequest, 'stream'>)[],
  { sampling, signal, tokenizer }: GenerateOptions,
): Promise<Generated[]> {
  const codes = new Set(painter.codes);
  const others = Array.from({ length: program.model.writer.vocabSize }, (_, id) => id).filter((id) => !codes.has(id));
  const opening = tokenizer?.prefix ?? [];
  const requests = prompts.map((prompt) => ({
    ...prompt,
    maxTokens: painter.perImage,
    never: () => others,
    guides: draws(painter) ? guidesOf(prompt, painter, opening) : [],
  }));
  return generate(program, requests, { ...(sampling && { sampling }), ...(signal && { signal }) });
}

/**
 * What a prompt that begins an image is held against (Gafni et al. 2022, in three streams as Chameleon has it): nothing, and
 * the images alone. With logits u, i and f of all of it, codes come of `u + 1.2 (i - u) + 3 (f - i)`.
 */
function guidesOf(prompt: Prompt, { around, perImage }: Drawing, opening: readonly number[]): Guide[] {
  const [begin] = around;
  const nothing = { ids: [...opening, begin], weight: 1 - TOWARDS_IMAGES };
  const images = imagesOf(prompt, around, perImage);
  if (images.ids.length === 0) return [{ ...nothing, weight: 1 - TOWARDS_PROMPT }];
  const media = images.media.map((span) => ({ ...span, start: span.start + opening.length }));
  const ids = [...opening, ...images.ids, begin];
  return [nothing, { ids, media, weight: TOWARDS_IMAGES - TOWARDS_PROMPT }];
}

/** The whole images of a prompt, shown and drawn, one after another. */
function imagesOf({ ids, media = [] }: Prompt, [begin]: Drawing['around'], perImage: number) {
  const found: number[] = [];
  const spans: PromptMedia[] = [];
  const size = perImage + 2;
  for (let at = 0; at + size <= ids.length; at++) {
    if (ids[at] !== begin) continue;
    const shown = media.find(({ start }) => start === at);
    if (shown) spans.push({ ...shown, start: found.length });
    found.push(...Array.from({ length: size }, (_, i) => ids[at + i] as number));
    at += size - 1;
  }
  return { ids: found, media: spans };
}

const streamOf = ({ stream = 0 }: Pick<GenerationRequest, 'stream'>, part: number) => stream + part * STREAMS_APART;

const draws = (painter: Painter): painter is Drawing => painter.around !== undefined;
