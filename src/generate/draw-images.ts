import type { RgbImage } from '../data/index.ts';
import { toImages } from './answer.ts';
import { draw } from './draw.ts';
import type { Sampling } from './sampling.ts';
import { openSpeaker, questionRow, type SpeakerParts } from './speaker.ts';

/**
 * Images that a model draws for a prompt, which may show some itself; nothing is said.
 * @param question.images paths of the images that the prompt shows
 * @param options.count how many are drawn, each from a random stream of its own
 * @throws TesseraError `model/cannot` for a model that does not draw, and as `generate`
 */
export async function drawImages(
  parts: SpeakerParts,
  question: { readonly prompt: string; readonly images: readonly string[] },
  options: Sampling & { readonly count: number; readonly signal?: AbortSignal },
): Promise<RgbImage[]> {
  const { count, signal, ...sampling } = options;
  const speaker = openSpeaker(parts);
  try {
    const prompt = await speaker.prompt(speaker.encode(questionRow('prompt', question.prompt, question.images)));
    const prompts = Array.from({ length: count }, (_, stream) => ({ ...prompt, stream }));
    const { tokenizer } = parts;
    return toImages(await draw(speaker.program, prompts, { tokenizer, sampling, ...(signal && { signal }) }));
  } finally {
    await speaker.program.dispose();
  }
}
