import type { Random } from '../../base/index.ts';
import { caption, colorCaption } from '../language/captions.ts';
import type { ConversationOptions } from '../language/conversation.ts';
import { answered, captionPrompts, detailPrompts } from '../language/conversation.ts';
import { detail, fullDetail } from '../language/details.ts';
import type { TopicWeights } from '../language/questions.ts';
import { askQuestions, only } from '../language/questions.ts';
import type { Exchange } from '../language/reasoning.ts';
import { factSentences, reason } from '../language/reasoning.ts';
import type { Scene } from '../scene.ts';
import { lines, stream, type WorldTaskRecord } from './writer.ts';

/** What a caption with colours tells, and what a detailed description tells besides. */
const toldByCaption: TopicWeights = { exists: 7, 'exists-color': 3, color: 4, shape: 3, count: 3 };
const toldByDetail: TopicWeights = { ...toldByCaption, size: 1, pattern: 0.5, position: 2.5, table: 0.5 };

/** A description in words, with questions that it answers: what a language model can learn without eyes. */
export function textDialogue(
  scene: Scene,
  options: ConversationOptions,
  random: Random,
): { description: string; exchanges: Exchange[] } {
  const detailed = random.chance(0.4);
  const description = detailed ? fullDetail(scene, random) : colorCaption(scene, random);
  const [least, most] = options.turns;
  const told = only(options.topics, detailed ? toldByDetail : toldByCaption);
  const questions = askQuestions(scene, random.int(least, most + 1), random, told);
  const exchanges = questions.map((question) => answered(question, random.chance(options.shortAnswers), random));
  if (options.topics) return { description, exchanges };
  if (detailed && random.chance(0.4)) exchanges.splice(-1, 1, ...reason(scene, 1, random));
  if (random.chance(0.25)) exchanges.splice(0, 1, retell(scene, description, detailed, random));
  return { description, exchanges };
}

/** A request for a description, which the text before it answers. */
function retell(scene: Scene, description: string, detailed: boolean, random: Random): Exchange {
  if (detailed && random.chance(0.5)) return { question: random.pick(detailPrompts), answer: description };
  return { question: random.pick(captionPrompts), answer: colorCaption(scene, random) };
}

/** One dialogue as plain text, in the words of Vicuna's prompt. */
function plainDialogue(description: string, exchanges: readonly Exchange[]): string {
  const turns = exchanges.map(({ question, answer }) => `USER: ${question} ASSISTANT: ${answer}`);
  return turns.join(' ').replace('USER: ', `USER: ${description}\n`);
}

const facts = factSentences();

/** Text about one scene for a language model: a description, a dialogue, and now and then the world's facts. */
function corpusTexts(scene: Scene, options: ConversationOptions, random: Random): string[] {
  const { description, exchanges } = textDialogue(scene, options, random);
  const told = random.chance(0.5) ? caption(scene, random) : detail(scene, random);
  const texts = [told, plainDialogue(description, exchanges)];
  if (random.chance(0.1)) texts.push(random.shuffle(facts).slice(0, 3).join(' '));
  return texts;
}

export const corpusTask = {
  describe: 'plain text for a language model',
  training: { file: 'corpus.jsonl', format: 'text' },
  uses: ['turns', 'topics'],
  write: (scenes, settings) => {
    const texts = scenes.flatMap((s) => corpusTexts(s, settings.conversation, stream(settings, 'corpus', s)));
    return { 'corpus.jsonl': lines(texts.map((text) => ({ text }))) };
  },
} as const satisfies WorldTaskRecord;
