import { TesseraError } from '../base/index.ts';
import {
  type ChatTemplate,
  type ChatTokens,
  chatTokens,
  type EncodeSettings,
  type Example,
  encodePrompt,
  type ImageMedia,
  type ImageProcessor,
  mediaLoader,
  type Outcome,
  type Row,
  stopStrings,
  type Tokenizer,
} from '../data/index.ts';
import { GenerationProgram, type GenerationProgramOptions } from './program.ts';
import { type Prompt, promptOf } from './prompt.ts';

/** Everything that it takes to speak with a model. */
export interface SpeakerParts extends GenerationProgramOptions {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** The system message that opens every conversation. */
  readonly system?: string | undefined;
  /** How images are prepared; needed as soon as one is shown. */
  readonly processor?: ImageProcessor;
  /** The special token that stands for an image; `<image>`, or else the token of the model's own configuration. */
  readonly imageToken?: string;
  /** Tokens that end an answer besides the tokenizer's end of sequence and what the template says. */
  readonly stopIds?: readonly number[];
  /** Texts that end an answer besides those of the template. */
  readonly stop?: readonly string[];
}

/** A model with its words and images: conversations become prompts, and answers know where to end. */
export interface Speaker {
  readonly program: GenerationProgram;
  readonly tokens: ChatTokens;
  readonly settings: EncodeSettings;
  readonly ending: {
    readonly tokenizer: Tokenizer;
    readonly stopIds: readonly number[];
    readonly stop: readonly string[];
  };
  /** A conversation with the system message in front. */
  opened(row: Row): Row;
  /** A conversation as tokens that end where the answer begins. */
  encode(row: Row): Example;
  /** An example with its images prepared. */
  prompt(example: Example): Promise<Prompt>;
}

export function openSpeaker(parts: SpeakerParts): Speaker {
  const { model, tokenizer, template, processor, stopIds = [], stop = [] } = parts;
  const mark = model.image?.tokenId;
  const imageToken = mark === undefined ? undefined : (parts.imageToken ?? imageTokenOf(tokenizer, mark));
  const program = new GenerationProgram({ ...parts, reader: model.processor(processor) });
  const tokens = chatTokens(tokenizer, imageToken);
  const settings: EncodeSettings = {
    tokenizer,
    template,
    processor: program.processor,
    imageToken,
  };
  const media = mediaLoader();
  const opened = (row: Row) => (parts.system === undefined ? row : withSystem(row, parts.system));
  return {
    program,
    tokens,
    settings,
    ending: {
      tokenizer,
      stopIds: tokenizer.eos === undefined ? stopIds : [...stopIds, tokenizer.eos],
      stop: [...stopStrings(template, tokens), ...stop],
    },
    opened,
    encode: (row) => kept(encodePrompt(opened(row), settings)),
    async prompt({ ids, texts, media: shown }) {
      if (shown.length > 0 && !processor) noProcessor();
      return promptOf({ ids, texts, media: shown }, media);
    },
  };
}

function withSystem(row: Row, text: string): Row {
  return { ...row, turns: [{ role: 'system', parts: [{ type: 'text', text }] }, ...row.turns] };
}

/**
 * Refuses a conversation whose words a template throws away on purpose, as those for captions do.
 * @throws TesseraError `generate/question-dropped`
 */
export function checkHeard(template: ChatTemplate, { turns }: Row): void {
  const lost = turns.find(
    ({ role, parts }) => template.discards.includes(role) && parts.some((part) => part.type === 'text'),
  );
  if (!lost) return;
  const words = lost.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
  throw new TesseraError({
    code: 'generate/question-dropped',
    message: `the template ${template.name} leaves out what the ${lost.role} says`,
    expected: 'a template that shows it to the model',
    got: JSON.stringify(words.slice(0, 80)),
    remedy: '`--template` takes another, such as llava-1.5 or a file; with an image, `--prompt ""` asks for a caption',
  });
}

function imageTokenOf(tokenizer: Tokenizer, id: number): string {
  return tokenizer.specials.has('<image>') ? '<image>' : tokenizer.tokenOf(id);
}

/** The example, or the reason why there is none as an error. */
export function kept(outcome: Outcome<Example>): Example {
  if ('kept' in outcome) return outcome.kept;
  throw new TesseraError(outcome.refused);
}

function noProcessor(): never {
  throw new TesseraError({
    code: 'generate/no-processor',
    message: 'how images are prepared for the model is not known',
    expected: 'an image processor',
    remedy: 'a model folder says it in preprocessor_config.json or processor_config.json',
  });
}

/** A row with one user turn: the images, then the words. */
export function questionRow(where: string, text: string, images: readonly string[]): Row {
  return { id: where, where, media: images.map(imageMedia), turns: [userTurn(text, images.length, 0)] };
}

export function imageMedia(path: string): ImageMedia {
  return { kind: 'image', path };
}

/** A user turn that shows `count` images, numbered from `first` on. */
export function userTurn(text: string, count: number, first: number): Row['turns'][number] {
  const images = Array.from({ length: count }, (_, i) => ({ type: 'media' as const, media: first + i }));
  return { role: 'user', parts: text === '' ? images : [...images, { type: 'text', text }] };
}

/** A question about an image with its answer, shown in front of another question. */
export interface Shot {
  /** Path of an image file. */
  readonly image: string;
  readonly prompt: string;
  readonly answer: string;
}

/** The question behind its shots, as a conversation. */
export function shotsRow(
  where: string,
  { shots = [], prompt, image }: { shots?: readonly Shot[]; prompt: string; image?: string },
): Row {
  const asked = questionRow(where, prompt, image === undefined ? [] : [image]);
  const before = shots.flatMap((shot, i) => [
    userTurn(shot.prompt, 1, i),
    { role: 'assistant' as const, parts: [{ type: 'text' as const, text: shot.answer }] },
  ]);
  const turns = image === undefined ? asked.turns : [userTurn(prompt, 1, shots.length)];
  return {
    ...asked,
    media: [...shots.map((shot) => imageMedia(shot.image)), ...asked.media],
    turns: [...before, ...turns],
  };
}
