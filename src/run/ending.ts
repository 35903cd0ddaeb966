import { type Fault, TesseraError } from '../base/index.ts';
import { answerEndings, type ChatTemplate, chatTokens, type Example, unpromptedText } from '../data/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import type { SampleRows } from '../train/index.ts';
import { objectiveNamed } from '../train/index.ts';
import type { Parts } from './parts.ts';
import type { Hooks } from './types.ts';

/** What a stage trains on, and the prompt that it is written in. */
interface Taught {
  readonly samples: readonly SampleRows[];
  readonly template: ChatTemplate;
}

/**
 * Holds a stage to teaching an end of answers, unless `add_end` says what is to become of them, and warns of a template
 * whose prompts end elsewhere than where its answers begin.
 * @throws TesseraError `data/no-end`
 */
export function checkEnds(stage: StagePlan, data: Taught, parts: Parts, hooks: Hooks): void {
  const fault = endFault(stage, data, parts);
  if (fault) throw new TesseraError(fault);
  const unprompted = !writes(stage) ? '' : unpromptedText(data.template, tokensOf(parts));
  if (unprompted.trim() === '') return;
  const text = JSON.stringify(unprompted);
  hooks.log.warn(
    `stage ${stage.name}: the template prints ${text} before an answer and leaves it out of the prompt of a question; rows are given it, and the model does not learn to write it`,
  );
}

/** What is wrong with a stage in whose rows no answer ends in a token, or a text, that the model learns to end it with. */
export function endFault(stage: StagePlan, { samples, template }: Taught, parts: Parts): Fault | undefined {
  if (!isHeld(stage) || samples.length === 0) return undefined;
  const ends = endIds(template, parts);
  const ended = ends === 'text' || samples.some((rows) => rows.some((row) => endsAnswers(row, ends, parts)));
  return ended ? undefined : noEnd(stage, template);
}

/** As `endFault`, before any row is read: the fault of a template that ends no answer anywhere. */
export function templateFault(stage: StagePlan, template: ChatTemplate, parts: Parts): Fault | undefined {
  if (!isHeld(stage)) return undefined;
  const { taught, closing, texts } = answerEndings(template, tokensOf(parts));
  return [...taught, ...closing, ...texts].length > 0 ? undefined : noEnd(stage, template);
}

/** Whether a stage trains what a model writes. */
function writes({ objective }: Pick<StagePlan, 'objective'>): boolean {
  return objectiveNamed(objective).needs === 'writer';
}

function isHeld({ addEnd, objective }: StagePlan): boolean {
  return addEnd === undefined && writes({ objective });
}

function noEnd(stage: StagePlan, template: ChatTemplate): Fault {
  return {
    code: 'data/no-end',
    message: `no answer of stage ${stage.name} ends in a token that the model learns: it would never stop`,
    path: `stages.${stage.name}.template ${template.name}`,
    expected: 'an end-of-sequence token, or another that ends a turn, among what is supervised',
    got: 'answers that end in their last word, or in white space',
    remedy: `stages.${stage.name}.add_end=true teaches the end-of-sequence token after the last answer of a row; add_end=false trains without an end`,
  };
}

/** The ids that end answers in this template; `text` where it has the model write a text that does. */
function endIds(template: ChatTemplate, parts: Parts): ReadonlySet<number> | 'text' {
  const { closing, taught, texts } = answerEndings(template, tokensOf(parts));
  if (texts.length > 0) return 'text';
  const { specials, eos } = parts.tokenizer;
  const ids = [...closing, ...taught].map((token) => specials.get(token));
  return new Set([...ids, eos].filter((id) => id !== undefined));
}

/** Whether a stretch of what is learned ends in one of these ids; white space may follow it. */
function endsAnswers({ ids, supervised }: Example, ends: ReadonlySet<number>, { tokenizer }: Parts): boolean {
  return ids.some((id, t) => {
    if (supervised[t] !== 1 || !ends.has(id)) return false;
    const stop = supervised.indexOf(0, t + 1);
    return tokenizer.decode(ids.slice(t + 1, stop < 0 ? ids.length : stop)).trim() === '';
  });
}

function tokensOf({ tokenizer, imageToken }: Parts) {
  return chatTokens(tokenizer, imageToken);
}
