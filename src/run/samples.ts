import { TesseraError } from '../base/index.ts';
import { chatTokens, type Example, type MediaLoader, mediaPaths, stopStrings } from '../data/index.ts';
import { GenerationProgram, generate, promptOf } from '../generate/index.ts';
import type { WriterModel } from '../models/index.ts';
import type { SampleRows } from '../train/index.ts';
import { stageTemplate } from './rows.ts';
import type { StageUnderWay } from './under-way.ts';

const ANSWERS = 4;
const LONGEST = 64;

/** Tokens of a plain text that are shown to a model for it to go on. */
const OPENING = 8;

/** A row that the model was asked while it trained; with stage and step, a line of `samples.jsonl`. */
export interface Answered {
  readonly row: string;
  /** False for a row that the stage trains on. */
  readonly held_out: boolean;
  readonly pictures: readonly string[];
  /** As the model reads it, an image standing once. */
  readonly prompt: string;
  readonly answer: string;
  /** What the row says. */
  readonly expected: string;
}

export interface Sampler {
  answers(): Promise<readonly Answered[]>;
  dispose(): Promise<void>;
}

/** Answers the same few rows, greedily and with the parameters as they are, whenever it is asked. */
export function openSampler(
  job: StageUnderWay,
  { samples, heldOut }: { readonly samples: readonly SampleRows[]; readonly heldOut: boolean },
): Sampler {
  const { engine, loaded, lora, parts, stage, reader, media } = job;
  const { store } = loaded;
  const { writer } = loaded.model;
  if (!writer) return { answers: async () => [], dispose: async () => {} };
  const { tokenizer } = parts;
  const template = stageTemplate(stage, parts);
  const model: WriterModel = { ...loaded.model, writer };
  const program = new GenerationProgram({ engine, model, store, reader, ...(lora && { lora }) });
  const first = samples.map(([row]) => row as Example);
  const chosen = spread(first, ANSWERS).map((example) => ({ example, cut: answerStart(example, tokenizer.prefix) }));
  return {
    async answers() {
      const opened = await Promise.all(
        chosen.map(async (one) => ({ ...one, opening: await openingOf(one.example, one.cut, media) })),
      );
      const asked = opened.flatMap(({ opening, ...one }) => (opening ? [{ ...one, opening }] : []));
      const requests = asked.map(({ opening, cut }) => ({
        ...opening,
        maxTokens: Math.min(LONGEST, writer.maxPositions - cut),
      }));
      const got = await generate(program, requests, {
        tokenizer,
        stopIds: tokenizer.eos === undefined ? [] : [tokenizer.eos],
        stop: stopStrings(template, chatTokens(tokenizer, parts.imageToken)),
      });
      return asked.map(({ example, cut }, i) => ({
        row: example.where,
        held_out: heldOut,
        pictures: example.media.flatMap(({ media: shown }) => mediaPaths(shown)),
        prompt: tokenizer.decode(readable(example, 0, cut)),
        answer: (got[i]?.text ?? '').trim(),
        expected: tokenizer.decode(example.ids.slice(cut, answerEnd(example, cut)), { skipSpecial: true }).trim(),
      }));
    },
    dispose: () => program.dispose(),
  };
}

/** Items from all parts of a list, in its order. */
function spread<T>(items: readonly T[], count: number): T[] {
  const some = Math.min(count, items.length);
  return Array.from({ length: some }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / some)] as T);
}

/** Where the first answer begins; in a plain text, which is all answer, a few tokens after its start. */
function answerStart({ ids, supervised }: Example, prefix: readonly number[]): number {
  const first = supervised.indexOf(1);
  return first > prefix.length ? first : Math.min(first + OPENING, ids.length - 1);
}

function answerEnd({ ids, supervised }: Example, start: number): number {
  const end = supervised.indexOf(0, start);
  return end < 0 ? ids.length : end;
}

/** Undefined for a row whose images cannot be read, which training passes over and tells of. */
async function openingOf({ ids, texts, media }: Example, cut: number, loader: MediaLoader) {
  const shown = media.filter(({ input, start }) => input !== 'ids' || start < cut);
  try {
    return await promptOf({ ids: ids.slice(0, cut), texts, media: shown }, loader);
  } catch (error) {
    if (error instanceof TesseraError) return undefined;
    throw error;
  }
}

/** Ids up to a place, each image's tokens but one left out. */
function readable({ ids, media }: Example, from: number, to: number): number[] {
  const hidden = new Set(
    media.flatMap(({ start, tokens }) => Array.from({ length: tokens - 1 }, (_, k) => start + 1 + k)),
  );
  return [...ids.slice(from, to)].filter((_, i) => !hidden.has(from + i));
}
