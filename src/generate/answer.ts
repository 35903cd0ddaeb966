import type { Tensor } from '../base/index.ts';
import { type Answer, type Example, imageSize, mediaPaths, type RgbImage } from '../data/index.ts';
import type { GenerationProgram } from './program.ts';
import type { Generated } from './row.ts';

/** What generated tokens say, point at and draw; `example` is the prompt that they answer. */
export async function answerOf(
  program: GenerationProgram,
  example: Pick<Example, 'media'>,
  { text, ids }: Pick<Generated, 'text' | 'ids'>,
): Promise<Answer> {
  const { processor, model } = program;
  const [shown] = example.media.flatMap(({ media }) => (media.kind === 'image' ? mediaPaths(media) : []));
  const said = text.trim();
  return {
    text: said,
    ...(processor.boxes && shown !== undefined && { boxes: processor.boxes.read(said, imageSize(shown)) }),
    ...(model.painter && { images: await drawn(program, ids) }),
  };
}

/** The images whose codes stand among the tokens, each in one piece; what is left of an image that was cut short is none. */
async function drawn(program: GenerationProgram, ids: readonly number[]): Promise<RgbImage[]> {
  const { codes = [], perImage = 0 } = program.model.painter ?? {};
  const numbers = new Map(codes.map((id, i) => [id, i]));
  const images: number[][] = [];
  let open: number[] = [];
  for (const id of ids) {
    const code = numbers.get(id);
    if (code === undefined) open = [];
    else open.push(code);
    if (open.length !== perImage) continue;
    images.push(open);
    open = [];
  }
  return images.length === 0 ? [] : toImages(await program.paint(images));
}

/** Pixels `[N, 3, H, W]` from 0 to 1 as images of bytes. */
export function toImages({ shape, data }: Tensor<'float32'>): RgbImage[] {
  const [count, , height, width] = shape as [number, number, number, number];
  const area = height * width;
  return Array.from({ length: count }, (_, n) => {
    const bytes = new Uint8Array(3 * area);
    for (let at = 0; at < area; at++) {
      for (let c = 0; c < 3; c++) bytes[3 * at + c] = byteOf(data[(3 * n + c) * area + at] as number);
    }
    return { width, height, data: bytes };
  });
}

const byteOf = (value: number) => Math.round(255 * Math.min(Math.max(value, 0), 1));
