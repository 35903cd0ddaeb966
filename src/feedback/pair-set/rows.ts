import type { QuestionRecord } from './record.ts';

/** An answer that is to stay as likely as it is. */
interface Reference {
  readonly image: string;
  readonly prompt: string;
  readonly answer: string;
}

/**
 * The pairs of a set in the order of their questions, as rows of public formats: `{id, images, prompt, chosen, rejected}`, or
 * with their phrases `{id, image, prompt, chosen, rejected, phrases, reference}`. The references are the answers that are
 * right as they are, one after another and from the first again; where a set has none, the right sides of its pairs.
 * @param records the questions of the set, read twice
 */
export function* pairRows(records: () => Iterable<QuestionRecord>): Generator<object> {
  let next = 0;
  let references: readonly Reference[] | undefined;
  for (const record of records()) {
    const { image, prompt } = asked(record);
    for (const { id, chosen, rejected, phrases } of pairsOf(record)) {
      if (!phrases) {
        yield { id, images: [image], prompt, chosen, rejected };
        continue;
      }
      references ??= referencesOf(records);
      const reference = references[next++ % references.length];
      yield { id, image, prompt, chosen, rejected, phrases, reference };
    }
  }
}

function asked({ image, question }: QuestionRecord): { readonly image: string; readonly prompt: string } {
  return { image: /^data:/i.test(image) ? image : `images/${image}`, prompt: `<image>\n${question}` };
}

const pairsOf = ({ candidates }: QuestionRecord) =>
  candidates.flatMap((candidate) => ('pair' in candidate ? [candidate.pair] : []));

function referencesOf(records: () => Iterable<QuestionRecord>): Reference[] {
  const found: Reference[] = [];
  for (const record of records()) {
    for (const at of record.right ?? []) found.push({ ...asked(record), answer: record.answers[at]?.text as string });
  }
  if (found.length > 0) return found;
  for (const record of records()) {
    for (const { chosen } of pairsOf(record)) found.push({ ...asked(record), answer: chosen });
  }
  // Beside a pair stands the answer of another.
  return [...found.slice(1), ...found.slice(0, 1)];
}
