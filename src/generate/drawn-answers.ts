import { decodeImage, type RgbImage } from '../data/index.ts';
import { toImages } from './answer.ts';
import type { GenerateOptions } from './decode.ts';
import { draw } from './draw.ts';
import { questionRow, type Speaker } from './speaker.ts';

/** Something to be drawn: what a prompt asks for, or an image once more. */
interface Drawn {
  readonly image?: string;
  readonly prompt: string;
  readonly stream: number;
}

/** One image for each prompt, which may show one. */
export async function drawnFor(
  { program, prompt, encode, ending: { tokenizer } }: Speaker,
  asked: readonly Drawn[],
  options: GenerateOptions,
): Promise<RgbImage[][]> {
  const prompts = await Promise.all(
    asked.map(async ({ image, prompt: text, stream }) => ({
      ...(await prompt(encode(questionRow('prompt', text, image === undefined ? [] : [image])))),
      stream,
    })),
  );
  return toImages(await draw(program, prompts, { ...options, tokenizer })).map((image) => [image]);
}

/** Each image as its file has it, and as it is painted from its codes. */
export async function paintedAgain(
  { program, prompt, encode }: Speaker,
  asked: readonly Drawn[],
): Promise<RgbImage[][]> {
  const codes: number[][] = [];
  const files: RgbImage[] = [];
  for (const { image = '' } of asked) {
    const { media = [] } = await prompt(encode(questionRow('image', '', [image])));
    const pixels = media[0]?.values.pixels;
    if (pixels) codes.push(...(await program.codes(pixels)));
    files.push(await decodeImage(image));
  }
  const painted = toImages(await program.paint(codes));
  return files.map((file, i) => [file, painted[i] as RgbImage]);
}
