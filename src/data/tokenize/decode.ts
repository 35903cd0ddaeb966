/** Turns ids into text piece by piece; a character comes out once all its bytes are there. */
export interface StreamDecoder {
  /** The text that is complete after this token; often empty inside a multi-byte character. */
  push(id: number): string;
  /** What is left; an unfinished character becomes U+FFFD. */
  end(): string;
}

/**
 * @param bytesOf the bytes a token stands for, or undefined for one to be left out
 * @param stripsSpace whether the first space belongs to the vocabulary, not to the text
 */
export function streamDecoder(bytesOf: (id: number) => Uint8Array | undefined, stripsSpace: boolean): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let strip = stripsSpace;
  return {
    push(id) {
      const bytes = bytesOf(id);
      if (!bytes || bytes.length === 0) return '';
      const skip = strip && bytes[0] === 0x20 ? 1 : 0;
      strip = false;
      return decoder.decode(bytes.subarray(skip), { stream: true });
    },
    end: () => decoder.decode(),
  };
}
