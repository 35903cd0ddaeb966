import type { Random } from '../../base/index.ts';
import { newWords } from '../language/new-words.ts';
import type { Scene } from '../scene.ts';
import { imageName } from './coco.ts';
import type { LlavaRow } from './llava.ts';
import { jsonList, stream, type WorldTaskRecord } from './writer.ts';

/** Images that are named before the one that is asked about, half of them by each word. */
const shots = 8;

/** What a made-up word stands for: things of one colour and shape. */
type Kind = string;

const kindsOf = ({ objects }: Scene): Kind[] => [...new Set(objects.map(({ color, shape }) => `${color} ${shape}`))];

/** Scenes by what they hold. */
function byKind(scenes: readonly Scene[]): Map<Kind, Scene[]> {
  const found = new Map<Kind, Scene[]>();
  for (const scene of scenes) {
    for (const kind of kindsOf(scene)) {
      const known = found.get(kind);
      if (known) known.push(scene);
      else found.set(kind, [scene]);
    }
  }
  return found;
}

/** Two kinds of things, one of them in the scene that is asked about, with other scenes that hold the one and not the other. */
function choose(asked: Scene, scenes: ReadonlyMap<Kind, readonly Scene[]>, random: Random) {
  const own = kindsOf(asked);
  const holding = (kind: Kind, other: Kind) =>
    (scenes.get(kind) ?? []).filter((scene) => scene !== asked && !kindsOf(scene).includes(other));
  const others = random.shuffle([...scenes.keys()].filter((kind) => !own.includes(kind)));
  for (const kind of random.shuffle(own)) {
    for (const other of others) {
      const [these, those] = [holding(kind, other), holding(other, kind)];
      if (Math.min(these.length, those.length) < shots / 2) continue;
      const few = (list: readonly Scene[]) => random.shuffle(list).slice(0, shots / 2);
      return { these: few(these), those: few(those) };
    }
  }
  return undefined;
}

/** A conversation of shots and the question; none where too few scenes hold the same. */
function newWordRow(
  asked: Scene,
  scenes: ReadonlyMap<Kind, readonly Scene[]>,
  words: readonly string[],
  random: Random,
): LlavaRow[] {
  const chosen = choose(asked, scenes, random);
  if (!chosen) return [];
  const [word, other] = random.shuffle(words) as [string, string];
  const question = `Is there a ${random.shuffle([word, other]).join(' or a ')} in the image?`;
  // Each two that follow each other hold one of each, so that the last two, four and eight are even.
  const shown = chosen.these.flatMap((scene, i) =>
    random.shuffle([
      { scene, answer: word },
      { scene: chosen.those[i] as Scene, answer: other },
    ]),
  );
  const all = [...shown, { scene: asked, answer: word }];
  return [
    {
      id: `${imageName(asked).slice(0, -4)}-words`,
      image: all.map(({ scene }) => imageName(scene)),
      conversations: all.flatMap(({ answer }) => [
        { from: 'human' as const, value: `<image>\n${question}` },
        { from: 'gpt' as const, value: answer },
      ]),
    },
  ];
}

export const newWordsTask = {
  describe: 'made-up words for things of one colour and shape, learnt from images that are named before',
  training: { file: 'new_words.json', format: 'llava' },
  uses: [],
  write: (scenes, settings) => {
    const known = byKind(scenes);
    const words = newWords(settings.split);
    const rows = scenes.flatMap((scene) => newWordRow(scene, known, words, stream(settings, 'new-words', scene)));
    return { 'new_words.json': jsonList(rows) };
  },
} as const satisfies WorldTaskRecord;
