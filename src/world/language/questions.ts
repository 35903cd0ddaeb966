import type { Random } from '../../base/index.ts';
import { sizes } from '../attributes.ts';
import type { Description, Place } from '../predicates.ts';
import { count, inPlace, relations, someRelated } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { relationWords } from './captions.ts';
import { askColoredExistence, askExistence } from './existence.ts';
import { numberWord, plural } from './lexicon.ts';
import { bare, capital, counted, definite, indefinite, placeWords, unique } from './phrase.ts';
import type { Question } from './question.ts';

/**
 * Asks about a scene, or answers undefined when the scene gives no clear question of the kind.
 * @param yes the answer that a yes/no question is to have
 */
type Asker = (scene: Scene, random: Random, yes: boolean) => Question | undefined;

/** An object with a description that fits it alone, by a rule of what the description may say. */
function one(scene: Scene, random: Random, describe: (object: SceneObject) => Description): SceneObject | undefined {
  return random.shuffle(scene.objects).find((object) => count(scene, describe(object)) === 1);
}

const askColor: Asker = (scene, random) => {
  const object = one(scene, random, ({ shape }) => ({ shape }));
  if (!object) return undefined;
  const { shape, color } = object;
  const text = random.pick([`What color is the ${shape}?`, `What is the color of the ${shape}?`]);
  const sentences = [`${capital(color)}.`, `The ${shape} is ${color}.`];
  return { topic: 'color', subject: shape, answerType: 'other', text, short: color, sentences };
};

const askShape: Asker = (scene, random) => {
  const object = one(scene, random, ({ color }) => ({ color }));
  if (!object) return undefined;
  const { shape, color } = object;
  const text = random.pick([`What shape is the ${color} object?`, `What is the ${color} object?`]);
  const sentences = [`It is ${indefinite({ color, shape })}.`, `The ${color} object is ${indefinite({ shape })}.`];
  return { topic: 'shape', subject: color, answerType: 'other', text, short: shape, sentences };
};

const askSize: Asker = (scene, random) => {
  const found = described(scene, random, ['size']);
  if (!found) return undefined;
  const { name, object } = found;
  const { size } = object;
  const [first, second] = random.shuffle(sizes);
  const text = random.pick([`What size is the ${name}?`, `Is the ${name} ${first} or ${second}?`]);
  const sentences = [`The ${name} is ${size}.`];
  return { topic: 'size', subject: name, answerType: 'other', text, short: size, sentences };
};

const askPattern: Asker = (scene, random) => {
  const found = described(scene, random, ['pattern']);
  if (!found) return undefined;
  const { name, object } = found;
  const { pattern } = object;
  // Most objects are solid; the others are asked about as often.
  if (pattern === 'solid' && random.chance(0.8)) return undefined;
  const text = `Is the ${name} solid, striped or dotted?`;
  const sentences = [`The ${name} is ${pattern}.`];
  return { topic: 'pattern', subject: name, answerType: 'other', text, short: pattern, sentences };
};

/** An object and a name for it that does not give away what is asked for. */
function described(
  scene: Scene,
  random: Random,
  hidden: readonly (keyof Description)[],
): { object: SceneObject; name: string } | undefined {
  for (const object of random.shuffle(scene.objects)) {
    const description = unique(scene, object);
    if (description && !hidden.some((key) => key in description)) return { object, name: bare(description) };
  }
  return undefined;
}

const sides = [
  ['left', 'right'],
  ['top', 'bottom'],
] as const satisfies readonly (readonly [Place, Place])[];

const askPlace: Asker = (scene, random) => {
  const found = described(scene, random, []);
  if (!found) return undefined;
  const [first, second] = random.pick(sides);
  const place = [first, second].find((side) => inPlace(scene, found.object, side) === true);
  if (!place) return undefined;
  const [a, b] = random.shuffle([first, second]) as [Place, Place];
  const text = `Is the ${found.name} ${placeWords(a)} or ${placeWords(b)}?`;
  const sentences = [`The ${found.name} is ${placeWords(place)}.`];
  const subject = `${found.name} ${first}`;
  return { topic: 'position', subject, answerType: 'other', text, short: place, sentences };
};

const askCount: Asker = (scene, random) => {
  const shape = random.pick(shapesOf(scene));
  const repeated = shapesOf(scene).filter((s) => count(scene, { shape: s }) > 1);
  const description: Description =
    repeated.length > 0 && random.chance(0.6) ? { shape: random.pick(repeated) } : random.chance(0.5) ? { shape } : {};
  return countQuestion(scene, description, random);
};

function countQuestion(scene: Scene, description: Description, random: Random): Question {
  const number = count(scene, description);
  const things = plural(bare(description));
  const be = number === 1 ? 'is' : 'are';
  const text = random.pick([
    `How many ${things} are there?`,
    `How many ${things} are in the image?`,
    `How many ${things} are on the table?`,
  ]);
  const sentences = [`${capital(numberWord(number))}.`, `There ${be} ${counted(description, number)}.`];
  return { topic: 'count', subject: things, answerType: 'number', text, short: `${number}`, sentences };
}

const askRelation: Asker = (scene, random, yes) => {
  const [a, b] = random.shuffle(scene.objects);
  const first = a && unique(scene, a);
  const second = b && unique(scene, b);
  if (!first || !second) return undefined;
  const fitting = relations.filter((relation) => someRelated(scene, relation, first, second) === yes);
  if (fitting.length === 0) return undefined;
  const words = relationWords(random.pick(fitting));
  const subject = `${definite(first)} ${words} ${definite(second)}`;
  const text = `Is ${subject}?`;
  const sentences = yes
    ? ['Yes.', `Yes, ${definite(first)} is ${words} ${definite(second)}.`]
    : ['No.', `No, ${definite(first)} is not ${words} ${definite(second)}.`];
  return { topic: 'relation', subject, answerType: 'yes/no', text, short: yes ? 'yes' : 'no', sentences };
};

const askTable: Asker = (scene) => ({
  topic: 'table',
  subject: 'table',
  answerType: 'other',
  text: 'What kind of table is it?',
  short: scene.background,
  sentences: [`It is a ${scene.background} table.`],
});

const askers = {
  exists: (scene, random, yes) => askExistence(scene, yes, random),
  'exists-color': (scene, random, yes) => askColoredExistence(scene, yes, random),
  color: askColor,
  shape: askShape,
  count: askCount,
  position: askPlace,
  size: askSize,
  pattern: askPattern,
  relation: askRelation,
  table: askTable,
} as const satisfies Record<string, Asker>;

export type Topic = keyof typeof askers;

export const topics = Object.keys(askers) as readonly Topic[];

/** How often each kind of question is asked. */
export type TopicWeights = { readonly [T in Topic]?: number };

/** The weights of some topics alone; all of them when none are named. */
export function only(topicsAsked: readonly Topic[] | undefined, weights: TopicWeights): TopicWeights {
  if (!topicsAsked) return weights;
  return Object.fromEntries(Object.entries(weights).filter(([topic]) => topicsAsked.includes(topic as Topic)));
}

/** Conversations are dense in what hallucination tests ask. */
export const conversationWeights: TopicWeights = {
  exists: 9,
  'exists-color': 3,
  color: 4,
  shape: 3,
  count: 3,
  position: 2.5,
  size: 1,
  pattern: 0.5,
  relation: 1.5,
  table: 0.5,
};

/** Some two fifths yes/no and a seventh numbers, near the shares of VQAv2. */
export const vqaWeights: TopicWeights = { ...conversationWeights, exists: 5, 'exists-color': 2 };

/**
 * Different questions about a scene, topics drawn by their weights; fewer than asked for only when the scene has no
 * more. Every yes/no answer is a fair coin of its own, so that neither the rate nor the answers before give it away.
 */
export function askQuestions(scene: Scene, number: number, random: Random, topicWeights: TopicWeights): Question[] {
  const weighted = topics.filter((topic) => topicWeights[topic] !== undefined);
  const weights = weighted.map((topic) => topicWeights[topic] ?? 0);
  const asked: Question[] = [];
  for (let attempt = 0; attempt < number * 10 && asked.length < number; attempt++) {
    const topic = weighted[random.weighted(weights)] as Topic;
    const yes = random.chance(0.5);
    const question = askAnew(scene, topic, yes, asked, random);
    if (question) asked.push(question);
  }
  return asked;
}

/** A question of the topic that was not asked yet; a second wording could be answered without looking. */
function askAnew(
  scene: Scene,
  topic: Topic,
  yes: boolean,
  asked: readonly Question[],
  random: Random,
): Question | undefined {
  if (!yes && denials(asked, topic) >= affirmable(scene, topic)) return undefined;
  for (let attempt = 0; attempt < 12; attempt++) {
    const question = askers[topic](scene, random, yes);
    const known = question && asked.some((a) => a.topic === topic && a.subject === question.subject);
    if (question && !known) return question;
  }
  return undefined;
}

function denials(asked: readonly Question[], topic: Topic): number {
  return asked.filter((question) => question.topic === topic && question.short === 'no').length;
}

/** How many existence questions can have the answer yes. As many may have the answer no, which keeps the coin fair. */
function affirmable(scene: Scene, topic: Topic): number {
  if (topic === 'exists') return shapesOf(scene).length;
  if (topic === 'exists-color') return new Set(scene.objects.map(({ color, shape }) => `${color} ${shape}`)).size;
  return Number.POSITIVE_INFINITY;
}
