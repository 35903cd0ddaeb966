import { type Scene, sentenceEdits } from '../../world/index.ts';
import { type Reading, readAnswer, type Statement } from './statements.ts';

/** Whether a statement of an answer is taken to be true. */
export type Belief = (statement: Statement, answer: string) => boolean;

type Sentence = Reading['sentences'][number];

/**
 * An answer with everything that is believed to be wrong put right, and the rest as it is: each sentence with something
 * wrong by the fewest words that make it right, or left out where no wording does.
 */
export function correctAnswer(answer: string, scene: Scene, belief: Belief): string {
  let text = answer;
  for (;;) {
    const reading = readAnswer(text, scene);
    const [first] = wrongOf(reading, text, belief);
    if (!first) return text;
    const sentence = reading.sentences.find(({ start, end }) => first.start >= start && first.end <= end) as Sentence;
    text = mended(text, sentence, scene, belief);
  }
}

/** What is believed to be wrong in an answer, in the order of the text. */
export function wrongOf({ statements }: Reading, answer: string, belief: Belief): Statement[] {
  return statements.filter((statement) => !belief(statement, answer));
}

function mended(text: string, sentence: Sentence, scene: Scene, belief: Belief): string {
  const wrongs = (of: string) => wrongOf(readAnswer(of, scene), of, belief);
  const before = wrongs(text);
  const inside = before.filter(({ start, end }) => start >= sentence.start && end <= sentence.end).length;
  let best: { readonly text: string; readonly wrong: number } | undefined;
  for (const edit of sentenceEdits(text.slice(sentence.start, sentence.end), scene)) {
    if (wrongs(edit.text).length >= inside) continue;
    const whole = text.slice(0, sentence.start) + edit.text + text.slice(sentence.end);
    const wrong = wrongs(whole).length;
    if (wrong <= before.length - inside) return whole;
    if (wrong < (best?.wrong ?? before.length)) best = { text: whole, wrong };
  }
  return best?.text ?? withoutSentence(text, sentence);
}

/** A text without a sentence, its full stop and the space behind it. */
function withoutSentence(text: string, { start, end }: Sentence): string {
  return (text.slice(0, start) + text.slice(end).replace(/^[.!?;]*\s*/, '')).trimEnd();
}
