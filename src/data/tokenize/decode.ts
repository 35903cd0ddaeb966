/** Turns ids into text piece by piece; a character comes out once all its bytes are there. */
export interface StreamDecoder {
  /** The text that is complete after this token; often empty inside a multi-byte character. */
  push(id: number): string;
  /** What is left; an unfinished character becomes U+FFFD. */
  end(): string;
}

/**
 * @param bytesOf the bytes a token stands for, or undefined for one to be left out
 * @param ownSpace whether the first or the last space belongs to the vocabulary, not to the text
 */
export function streamDecoder(
  bytesOf: (id: number) => Uint8Array | undefined,
  ownSpace: 'first' | 'last' | undefined,
): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let strip = ownSpace === 'first';
  let held = '';
  return {
    push(id) {
      const bytes = bytesOf(id);
      if (!bytes || bytes.length === 0) return '';
      const skip = strip && bytes[0] === 0x20 ? 1 : 0;
      strip = false;
      const text = held + decoder.decode(bytes.subarray(skip), { stream: true });
      held = ownSpace === 'last' && text.endsWith(' ') ? ' ' : '';
      return text.slice(0, text.length - held.length);
    },
    end: () => decoder.decode(),
  };
}
