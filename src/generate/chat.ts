import { TesseraError } from '../base/index.ts';
import type { Answer, ImageMedia, Row } from '../data/index.ts';
import { answerOf } from './answer.ts';
import { writeAndDraw } from './draw.ts';
import type { Finish } from './row.ts';
import type { Sampling } from './sampling.ts';
import { checkHeard, imageMedia, openSpeaker, type Speaker, type SpeakerParts, userTurn } from './speaker.ts';

export interface SayOptions extends Sampling {
  /** Longest answer; it ends earlier where the model's positions do. */
  readonly maxTokens: number;
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
  /** The answer as it is written, without white space in front. */
  readonly onText?: (text: string) => void;
}

export interface Said extends Answer {
  readonly promptTokens: number;
  readonly tokens: number;
  readonly finish: Finish;
}

/** A conversation that remembers its turns and images. */
export interface Conversation {
  /** Adds a user turn and the answer to it. A turn that fails is forgotten again; an answer cut short is kept. */
  say(turn: { readonly text: string; readonly images: readonly string[] }, options: SayOptions): Promise<Said>;
  forget(): void;
  close(): Promise<void>;
}

export function openConversation(parts: SpeakerParts): Conversation {
  const speaker = openSpeaker(parts);
  let turns: Row['turns'] = [];
  let images: readonly ImageMedia[] = [];
  return {
    async say({ text, images: shown }, options) {
      const asked = [...turns, userTurn(text, shown.length, images.length)];
      const seen = [...images, ...shown.map(imageMedia)];
      const row = { id: 'conversation', where: `turn ${asked.length}`, media: seen, turns: asked };
      checkHeard(parts.template, speaker.opened(row));
      const said = await answer(speaker, row, options);
      turns = [...asked, { role: 'assistant', parts: [{ type: 'text', text: said.text }] }];
      images = seen;
      return said;
    },
    forget() {
      turns = [];
      images = [];
    },
    close: () => speaker.program.dispose(),
  };
}

async function answer(speaker: Speaker, row: Row, options: SayOptions): Promise<Said> {
  const { maxTokens, stop = [], signal, onText, ...sampling } = options;
  const { program, ending } = speaker;
  const example = speaker.encode(row);
  const room = program.model.writer.maxPositions - example.ids.length;
  if (room < 1) throw full(program.model.writer.maxPositions, example.ids.length, questions(row));
  const request = { ...(await speaker.prompt(example)), maxTokens: Math.min(maxTokens, room) };
  const tell = afterSpace(onText ?? (() => {}));
  const got = await writeAndDraw(program, request, {
    ...ending,
    stop: [...ending.stop, ...stop],
    sampling,
    onText: (_, text) => tell(text),
    ...(signal && { signal }),
  });
  const { ids, finish, promptTokens } = got;
  const answer = await answerOf(program, example, got);
  return { ...answer, promptTokens, tokens: ids.length, finish };
}

/** Passes text on once it has begun. */
function afterSpace(tell: (text: string) => void): (text: string) => void {
  let begun = false;
  return (text) => {
    const rest = begun ? text : text.trimStart();
    begun ||= rest !== '';
    if (rest !== '') tell(rest);
  };
}

const questions = ({ turns }: Row) => turns.filter(({ role }) => role === 'user').length;

function full(positions: number, length: number, asked: number): TesseraError {
  return new TesseraError({
    code: 'generate/too-long',
    message: `the ${asked > 1 ? 'conversation' : 'prompt'} is longer than the model can read`,
    expected: `less than ${positions} tokens`,
    got: `${length}`,
    remedy: asked > 1 ? 'begin a new conversation' : 'shorten the prompt',
  });
}
