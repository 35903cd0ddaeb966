import { float32, int32, Random, type Tensor } from '../src/base/index.ts';
import type { Example } from '../src/data/index.ts';
import { createModel, type LoadedModel, loadModel } from '../src/models/index.ts';
import { initializeStore } from '../src/nn/index.ts';
import { openEngine } from '../src/runtime/index.ts';
import { allocateGradients, LossProgram, objectiveNamed } from '../src/train/index.ts';

/** A DPO step whose pairs bring their image once, beside the same step with an image a row: `node --import tsx bench/pair-step.ts [rounds]`. */

const PAIRS = 4;
const ASKED = 12;
const ANSWERED = 40;

/** As wide a tower as language model, at twelve and at four layers. */
function broad(): LoadedModel {
  const text = { hidden_size: 256, intermediate_size: 688, num_hidden_layers: 4, num_attention_heads: 4 };
  const vision = { hidden_size: 384, intermediate_size: 1536, num_hidden_layers: 12, num_attention_heads: 6 };
  const made = createModel({
    model_type: 'llava',
    image_token_index: 3,
    text_config: { ...text, model_type: 'llama', vocab_size: 2048, max_position_embeddings: 512 },
    vision_config: { ...vision, image_size: 112, patch_size: 14 },
  });
  initializeStore(made.store, 1);
  return made;
}

/** Rows of chosen and rejected answers, the image at their beginning. */
function rowsOf(slots: number, imageToken: number): Example[] {
  return Array.from({ length: 2 * PAIRS }, (_, r) => {
    const random = new Random(1, 'row', r);
    const said = Array.from({ length: ASKED + ANSWERED }, () => random.int(10, 200));
    const ids = Int32Array.from([...Array<number>(slots).fill(imageToken), ...said]);
    const supervised = Uint8Array.from(ids, (_, t) => (t >= slots + ASKED ? 1 : 0));
    return { id: `${r}`, where: `${r}`, ids, supervised, media: [] };
  });
}

function batches({ model }: LoadedModel) {
  const objective = objectiveNamed('dpo');
  const { height, width, tokenId = 0 } = model.image as NonNullable<typeof model.image>;
  const slots = model.processor().plan?.({ kind: 'image', path: 'x' }, () => [])?.ids.length as number;
  const rows = rowsOf(slots, tokenId);
  const length = (rows[0] as Example).ids.length;
  const random = new Random(2, 'pixels');
  const image = 3 * height * width;
  const pixels = Array.from({ length: PAIRS }, () => Float32Array.from({ length: image }, () => random.normal()));
  const feed = (images: readonly Float32Array[]) =>
    float32(
      [images.length, 3, height, width],
      images.flatMap((i) => [...i]),
    );
  const text = new Map<string, Tensor>([
    [
      'ids',
      int32(
        [rows.length, length],
        rows.flatMap(({ ids }) => [...ids]),
      ),
    ],
    [
      'imageRows',
      int32(
        [rows.length * slots],
        rows.flatMap((_, r) => Array.from({ length: slots }, (_, t) => r * length + t)),
      ),
    ],
    ...objective.feeds(rows, length),
  ]);
  const units = { token: 1, sample: PAIRS, batch: 1 };
  const batch = { units, rows: rows.length, tokens: rows.length * length };
  const shown = rows.map((_, r) => Math.floor(r / 2));
  return {
    objective,
    totals: units,
    once: {
      ...batch,
      feeds: new Map([...text, ['pixels', feed(pixels)], ['imagesShown', int32([shown.length], shown)]]),
    },
    each: { ...batch, feeds: new Map([...text, ['pixels', feed(shown.map((i) => pixels[i] as Float32Array))]]) },
  };
}

async function measure(name: string, loaded: LoadedModel, rounds: number): Promise<void> {
  const { objective, totals, ...kinds } = batches(loaded);
  const gradients = allocateGradients(loaded.store, (path) => path.startsWith('language_model.'));
  const trained = [...gradients.tensors.keys()];
  const program = new LossProgram({ engine: await openEngine({}), ...loaded, objective, trained });
  const times: Record<string, [wall: number, cpu: number][]> = { once: [], each: [] };
  for (let round = -1; round < rounds; round++) {
    // Whoever comes first pays for what was cold.
    const order = Object.entries(kinds);
    for (const [kind, batch] of round % 2 === 0 ? order : order.reverse()) {
      const [began, cpu] = [performance.now(), process.cpuUsage()];
      await program.run(batch as (typeof kinds)['once'], totals, { into: gradients });
      const { user, system } = process.cpuUsage(cpu);
      if (round >= 0) times[kind]?.push([performance.now() - began, (user + system) / 1000]);
    }
  }
  await program.dispose();
  const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number;
  for (const [i, what] of ['wall', 'cpu'].entries()) {
    const [once, each] = [times.once, times.each].map((list = []) => list.map((pair) => pair[i] as number));
    const [a, b] = [once, each] as [number[], number[]];
    const ratio = middle(a.map((time, round) => time / (b[round] as number)));
    console.log(
      `${name}, ${what}: once ${middle(a).toFixed(0)} ms, a row each ${middle(b).toFixed(0)} ms, paired ratio ${ratio.toFixed(2)}`,
    );
  }
}

const rounds = Number(process.argv[2] ?? 9);
await measure('tabletop LLaVA', loadModel('assets/tabletop-llava'), rounds);
await measure('a tower of 12 layers of 384 before 4 of 256', broad(), rounds);
