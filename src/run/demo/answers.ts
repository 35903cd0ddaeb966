import { createResponder, type SpeakerParts } from '../../generate/index.ts';
import { modelThat } from '../../models/index.ts';
import type { Plan, StagePlan } from '../../recipe/index.ts';
import type { Engine } from '../../runtime/index.ts';
import { type Parts, stageProcessor } from '../parts.ts';
import { stageTemplate } from '../rows.ts';
import type { Hooks, StageLook } from '../types.ts';
import type { Quiz } from './questions.ts';
import type { DemoAnswer } from './types.ts';

const LONGEST = 96;

/** A model that is being trained, or about to be, as it will speak in the end. */
export function modelInTraining(
  engine: Engine,
  { stages, output }: Plan,
  parts: Parts,
  { loaded, lora }: Pick<StageLook, 'loaded' | 'lora'>,
): SpeakerParts {
  const last = stages.at(-1) as StagePlan;
  const processor = stageProcessor(parts, last.pictures);
  return {
    engine,
    model: modelThat('writer', loaded.model, output.folder),
    store: loaded.store,
    tokenizer: parts.tokenizer,
    template: stageTemplate(last, parts),
    ...(processor && { processor }),
    ...(parts.imageToken !== undefined && { imageToken: parts.imageToken }),
    ...(lora && { lora }),
  };
}

/**
 * Asks all questions of some images at once.
 * @throws the signal's reason once it has aborted
 */
export async function ask(model: SpeakerParts, quizzes: readonly Quiz[], hooks: Hooks): Promise<readonly DemoAnswer[]> {
  return (await askEach(model, quizzes, hooks)).flat();
}

/** The answers by image. */
export async function askEach(
  model: SpeakerParts,
  quizzes: readonly Quiz[],
  { signal }: Hooks,
): Promise<readonly (readonly DemoAnswer[])[]> {
  signal.throwIfAborted();
  const responder = createResponder(model);
  try {
    const requests = quizzes.flatMap(({ image, questions }) =>
      questions.map(({ text }) => ({ image: image.path, prompt: text, maxTokens: LONGEST })),
    );
    const texts = (await responder.answer(requests, signal)).map(({ text }) => text).values();
    return quizzes.map(({ questions }) =>
      questions.map(({ text: question, truth, judge }) => {
        const answer = texts.next().value as string;
        return { question, answer, truth, ...judge(answer) };
      }),
    );
  } finally {
    await responder.close();
  }
}
