import type { Random } from '../../base/index.ts';
import { colors, type ShapeName, shapes, sizes } from '../attributes.ts';
import { suggestionsIn } from '../language/expectation.ts';
import { article, nouns, numberWord, plural } from '../language/lexicon.ts';
import { count, relations, someRelated } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { imageName } from './coco.ts';
import { jsonList, stream, type WorldTaskRecord } from './writer.ts';

/** Absent things that are most expected in each image. */
const targets = 2;

/** A line of `query_all.json` and its line of `annotations.json`, without their number. */
interface Asked {
  readonly image: string;
  readonly query: string;
  readonly type: string;
  readonly truth: readonly string[] | 'yes' | 'no';
  readonly hallu?: readonly string[];
}

/**
 * AMBER's questions about a scene (arXiv:2311.07397): a description, and questions with yes and no about what is expected
 * and absent, how a thing looks, how many there are, and how two of them lie. Existence is asked after what is absent
 * alone, as published; actions are not, since nothing acts.
 */
function amberQuestions(scene: Scene, random: Random): Asked[] {
  const image = imageName(scene);
  const hallu = likelyAbsent(scene);
  const pair = (type: string, [yes, no]: readonly [string, string]): Asked[] => [
    { image, query: yes, type, truth: 'yes' },
    { image, query: no, type, truth: 'no' },
  ];
  const [state, relation] = [stateOf(scene, random), relationOf(scene, random)];
  return [
    { image, query: 'Describe this image.', type: 'generative', truth: shapesOf(scene), hallu },
    ...(state ? pair('discriminative-attribute-state', state) : []),
    ...pair('discriminative-attribute-number', numberOf(scene, random)),
    ...hallu.map(
      (shape): Asked => ({
        image,
        query: `Is there ${article(shape)} ${shape} in this image?`,
        type: 'discriminative-hallucination',
        truth: 'no',
      }),
    ),
    ...(relation ? pair('discriminative-relation', relation) : []),
  ];
}

/** Shapes that are not there, those first that most of what is there suggests. */
function likelyAbsent(scene: Scene): ShapeName[] {
  const times = suggestionsIn(scene);
  const absent = shapes.filter((shape) => !shapesOf(scene).includes(shape));
  return absent.sort((a, b) => times(b) - times(a)).slice(0, targets);
}

/** Things that are the only ones of their shape. */
function alone(scene: Scene): SceneObject[] {
  return scene.objects.filter(({ shape }) => count(scene, { shape }) === 1);
}

function stateOf(scene: Scene, random: Random): [string, string] | undefined {
  const things = alone(scene);
  if (things.length === 0) return undefined;
  const { shape, color, size } = random.pick(things);
  const ask = (state: string) => `Is the ${shape} ${state} in this image?`;
  const [is, others] = random.chance(0.5) ? [color, colors] : [size, sizes];
  return [ask(is), ask(random.pick(others.filter((other) => other !== is)))];
}

function numberOf(scene: Scene, random: Random): [string, string] {
  const shape = random.pick(shapesOf(scene));
  const there = count(scene, { shape });
  const ask = (n: number) =>
    n === 1 ? `Is there one ${shape} in this image?` : `Are there ${numberWord(n)} ${plural(shape)} in this image?`;
  return [ask(there), ask(there === 1 || random.chance(0.5) ? there + 1 : there - 1)];
}

/** A relation that surely holds between two things, and the other way round, where it surely does not. */
function relationOf(scene: Scene, random: Random): [string, string] | undefined {
  const things = alone(scene).map(({ shape }) => shape);
  const sure = things.flatMap((a) =>
    things.flatMap((b) =>
      a === b
        ? []
        : relations
            .filter((relation) => someRelated(scene, relation, { shape: a }, { shape: b }))
            .map((relation) => ({ a, b, relation })),
    ),
  );
  if (sure.length === 0) return undefined;
  const { a, b, relation } = random.pick(sure);
  const ask = (first: ShapeName, second: ShapeName) => `Is the ${first} ${relation} the ${second} in this image?`;
  return [ask(a, b), ask(b, a)];
}

/** Words for each shape, in the form of `relation.json`. */
const association = Object.fromEntries(
  shapes.map((shape) => [
    shape,
    [...nouns].flatMap(([name, noun]) => (noun.shape === shape && !noun.plural && name !== shape ? [name] : [])),
  ]),
);

export const amberTask = {
  describe: "AMBER's descriptions and yes/no questions, for evaluation",
  uses: [],
  write: (scenes, settings) => {
    const all = scenes.flatMap((scene) => amberQuestions(scene, stream(settings, 'amber', scene)));
    // Descriptions come first, as published.
    const sorted = [...all.filter(({ hallu }) => hallu), ...all.filter(({ hallu }) => !hallu)];
    const rows = sorted.map((asked, i) => ({ id: i + 1, ...asked }));
    const relation = `${JSON.stringify(association, null, 2)}\n`;
    return {
      'amber_query_all.json': jsonList(rows.map(({ id, image, query }) => ({ id, image, query }))),
      'amber_annotations.json': jsonList(
        rows.map(({ id, type, truth, hallu }) => ({ id, type, truth, ...(hallu && { hallu }) })),
      ),
      'amber_relation.json': { text: relation, rows: shapes.length },
      'amber_safe_words.txt': { text: '', rows: 0 },
    };
  },
} as const satisfies WorldTaskRecord;
