import { type Example, encodeRow, type Row } from '../data/index.ts';
import { score } from './score.ts';
import { checkHeard, kept, openSpeaker, questionRow, type Speaker, type SpeakerParts } from './speaker.ts';

export interface TokenScore {
  readonly id: number;
  /** The characters that are complete with this token. */
  readonly text: string;
  /** Natural logarithm of its probability given everything before it. */
  readonly logProb: number;
}

/**
 * Scores an answer token by token, with what the template has the model produce after it, as in training. Where the
 * template rewrites answers, so that none can be trained in it, the answer as it is follows its prompt.
 * @param question.images paths of the images that the prompt is about
 */
export async function scoreAnswer(
  parts: SpeakerParts,
  question: { readonly prompt: string; readonly answer: string; readonly images: readonly string[] },
): Promise<TokenScore[]> {
  const speaker = openSpeaker(parts);
  const asked = questionRow('answer', question.prompt, question.images);
  try {
    checkHeard(parts.template, speaker.opened(asked));
    const example = answered(speaker, asked, question.answer);
    const targets = [...example.ids.keys()].filter((t) => t > 0 && example.supervised[t] === 1);
    const prompt = await speaker.prompt(example);
    const [scores] = await score(speaker.program, [{ ...prompt, targets }]);
    const decoder = parts.tokenizer.streamDecoder({ skipSpecial: false });
    return targets.map((t, i) => {
      const id = example.ids[t] as number;
      return { id, text: decoder.push(id), logProb: scores?.[i] as number };
    });
  } finally {
    await speaker.program.dispose();
  }
}

/** Reasons why a template cannot say which part of what it prints is the answer. */
const unclear: ReadonlySet<string> = new Set([
  'chat/marks',
  'chat/mask-ambiguous',
  'chat/supervises-question',
  'chat/template-rewrites',
  'chat/text-dropped',
]);

function answered(speaker: Speaker, asked: Row, answer: string): Example {
  const said = { role: 'assistant' as const, parts: [{ type: 'text' as const, text: answer }] };
  const outcome = encodeRow(speaker.opened({ ...asked, turns: [...asked.turns, said] }), speaker.settings);
  if ('kept' in outcome || !unclear.has(outcome.refused.code)) return kept(outcome);
  const { tokenizer, stop } = speaker.ending;
  const prompt = speaker.encode(asked);
  const end = stop.map((text) => tokenizer.specials.get(text)).find((id) => id !== undefined) ?? tokenizer.eos;
  const ids = [...tokenizer.encode(answer).ids, ...(end === undefined ? [] : [end])];
  return {
    ...prompt,
    ids: Int32Array.from([...prompt.ids, ...ids]),
    supervised: Uint8Array.from([...prompt.supervised, ...ids.map(() => 1)]),
  };
}
