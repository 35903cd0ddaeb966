import { encodeRow } from '../data/index.ts';
import { score } from './score.ts';
import { kept, openSpeaker, questionRow, type SpeakerParts } from './speaker.ts';

export interface TokenScore {
  readonly id: number;
  /** The characters that are complete with this token. */
  readonly text: string;
  /** Natural logarithm of its probability given everything before it. */
  readonly logProb: number;
}

/**
 * Scores an answer token by token, with what the template has the model produce after it, as in training.
 * @param question.images paths of the pictures that the prompt is about
 */
export async function scoreAnswer(
  parts: SpeakerParts,
  question: { readonly prompt: string; readonly answer: string; readonly images: readonly string[] },
): Promise<TokenScore[]> {
  const speaker = openSpeaker(parts);
  const { program, settings } = speaker;
  const asked = questionRow('answer', question.prompt, question.images);
  const row = {
    ...asked,
    turns: [...asked.turns, { role: 'assistant' as const, parts: [{ type: 'text' as const, text: question.answer }] }],
  };
  try {
    const example = kept(encodeRow(row, settings));
    const targets = [...example.ids.keys()].filter((t) => t > 0 && example.supervised[t] === 1);
    const prompt = await speaker.prompt(example);
    const [scores] = await score(program, [{ ...prompt, targets }]);
    const decoder = parts.tokenizer.streamDecoder({ skipSpecial: false });
    return targets.map((t, i) => {
      const id = example.ids[t] as number;
      return { id, text: decoder.push(id), logProb: scores?.[i] as number };
    });
  } finally {
    await program.dispose();
  }
}
