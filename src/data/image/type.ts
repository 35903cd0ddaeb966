/** How the bytes of images of some types begin, in Latin-1. */
const types = [
  ['png', /^\x89PNG/],
  ['jpeg', /^\xff\xd8\xff/],
  ['webp', /^RIFF[\s\S]{4}WEBP/],
  ['gif', /^GIF8/],
] as const;

export type ImageType = (typeof types)[number][0];

export const imageTypes: readonly ImageType[] = types.map(([type]) => type);

/** The type of an encoded image by its first bytes; undefined for other types. */
export function imageType(bytes: Uint8Array): ImageType | undefined {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  return types.find(([, begins]) => begins.test(head))?.[0];
}
