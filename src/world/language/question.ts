/** The answer types of VQAv2. */
export type AnswerType = 'yes/no' | 'number' | 'other';

/** A question with its one-word answer and full-sentence answers. */
export interface Question {
  /** What is asked about, such as `exists` or `color`. */
  readonly topic: string;
  /** Of what; two questions with one topic and subject have one answer. */
  readonly subject: string;
  readonly answerType: AnswerType;
  readonly text: string;
  /** One word, lower-case; numbers as digits, as in VQAv2. */
  readonly short: string;
  /** Sentences that say the same; all of them are true of the scene. */
  readonly sentences: readonly string[];
}

/** What LLaVA-1.5 appends to a question that wants a short answer (arXiv:2310.03744, section 3.2). */
export const shortAnswerPrompt = '\nAnswer the question using a single word or phrase.';

/** The answer to a question that carries the short-answer prompt: "Yes" and "No" keep the capital of POPE's answers. */
export function shortAnswer({ answerType, short }: Question): string {
  return answerType === 'yes/no' ? short.charAt(0).toUpperCase() + short.slice(1) : short;
}
