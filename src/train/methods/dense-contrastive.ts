import { int32 } from '../../base/index.ts';
import type { Example, LabelledBox } from '../../data/index.ts';
import { add, mul, slice, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { kaimingUniform, linear } from '../../nn/index.ts';
import { contrastive as contrast, denseLabels } from '../../objectives/index.ts';
import type { Method, Objective, Trace } from '../objective.ts';
import { contrastive } from './contrastive.ts';

/** Patches along a side of the image, questions that a row's labels answer, and classes of each: 0 is "none". */
const GRID = 8;
const ATTRIBUTES = 4;
const CLASSES = 16;
/** Then where the thing lies, and which it is: its centre's column and row, and its number in the order of the labels. */
const PLACES = 3;
const QUESTIONS = ATTRIBUTES + PLACES;
const PATCHES = GRID * GRID;

const pairs = contrastive.objective({});

const objective = (contrastWeight: number, place: number): Objective => ({
  ...pairs,
  name: 'dense-contrastive',
  own: true,
  feeds: (rows) => new Map([['patchLabels', int32([rows.length, PATCHES * QUESTIONS], rows.flatMap(patchLabels))]]),
  sizes: () => ({ feeds: ['patchLabels'], sizes: new Map() }),
  fault: (rows) => pairs.fault?.(rows) ?? unlabelled(rows[0]),
  trace(t) {
    const { embedder } = modelThat('embedder', t.model, 'objective dense-contrastive');
    // A pair is one image and one text.
    const x = t.inputs({ N: 'B' });
    const [{ vector, states }, text] = [embedder.image(t.p, x), embedder.text(t.p, x)];
    const scale = embedder.logitScale(t.p);
    const labels = t.feed('patchLabels', 'int32', ['B', PATCHES * QUESTIONS]);
    const weights = Array.from({ length: QUESTIONS }, (_, q) => (q < ATTRIBUTES ? 1 : place));
    return t.graph.within('loss', () => {
      const dense = mul(
        add(...(heads(t, states).map((logits) => denseLabels(logits, labels, weights)) as [Value, Value])),
        0.5,
      );
      const pairing = mul(contrast(vector, text, scale), contrastWeight);
      const share = t.share('batch');
      return { loss: mul(add(pairing, dense), share), metrics: { dense: mul(dense, share) } };
    });
  },
});

/** Linear heads on the last layer but one, which other models read, and on the last. */
function heads(t: Trace, states: readonly Value[]): Value[] {
  return [states.at(-2) as Value, states.at(-1) as Value].map((state, i) => {
    const init = kaimingUniform(state.shape[2] as number);
    return linear(t.p.at('objective').at(`head${i}`), slice(state, 1, 1), QUESTIONS * CLASSES, { init });
  });
}

/** The labels of a row's patches, question by question: those of the last thing that covers half of a patch, or 0. */
function patchLabels({ labels = [] }: Example): number[] {
  const out = Array<number>(PATCHES * QUESTIONS).fill(0);
  for (const [i, { box, classes }] of labels.entries()) {
    const [left, top, right, bottom] = box.map((edge) => edge * GRID) as [number, number, number, number];
    const place = [left + right, top + bottom].map((twice) => Math.min(CLASSES - 1, Math.max(1, Math.round(twice))));
    const values = [...classes, ...place, Math.min(i + 1, CLASSES - 1)];
    for (let patch = 0; patch < PATCHES; patch++) {
      const [x, y] = [patch % GRID, Math.floor(patch / GRID)];
      const width = Math.min(right, x + 1) - Math.max(left, x);
      const height = Math.min(bottom, y + 1) - Math.max(top, y);
      if (width > 0 && height > 0 && width * height >= 0.5) out.splice(patch * QUESTIONS, QUESTIONS, ...values);
    }
  }
  return out;
}

function unlabelled(row: Example | undefined) {
  const fits = ({ classes }: LabelledBox) => classes.length === ATTRIBUTES && classes.every((c) => c < CLASSES);
  if (row?.labels?.every(fits)) return undefined;
  return {
    code: 'row/labels',
    message: 'the row does not say what lies where in its image',
    ...(row && { path: row.where }),
    expected: `labels, each a box with ${ATTRIBUTES} classes below ${CLASSES}`,
    got: row?.labels ? JSON.stringify(row.labels.find((label) => !fits(label))?.classes) : 'no labels',
  };
}

export const denseContrastive: Method = {
  says: 'image-text contrast, and what lies at each patch',
  options: {
    contrast: { says: 'weight of the contrast, beside 1 for what a patch shows', value: 1 },
    place: { says: 'weight of where a thing lies and which it is, beside 1 for what it is', value: 0.25 },
  },
  objective: ({ contrast, place }) => objective(contrast as number, place as number),
};
