import { Random, type Tensor } from '../../base/index.ts';
import { add, gather, mul, straightThrough, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { zerosInit } from '../../nn/index.ts';
import { type Coded, quantization, reconstruction, restartDeadCodes } from '../../objectives/index.ts';
import { type After, KEPT, method, type Objective, type Trace } from '../objective.ts';
import { notOneImage } from './one-image.ts';

const name = 'vector-quantization';

/** The training of an image tokenizer: images through the nearest codes, straight through which gradients pass, and back. */
export const vectorQuantization = method({
  says: 'images painted again from the codes of an image tokenizer',
  options: {
    commitment: { says: 'weight of what draws latents to their codes; VQGAN and Chameleon have 1', value: 0.25 },
    codebook: { says: 'weight of what draws codes to their latents; VQGAN and Chameleon have 0.25', value: 1 },
    patience: {
      says: 'steps after which a code that no image has begins anew at what one shows; 0 for never',
      value: 10,
    },
  },
  objective: ({ commitment, codebook, patience }): Objective => ({
    name,
    needs: 'quantizer',
    views: ['row'],
    adds: true,
    own: true,
    units: ['sample'],
    feeds: () => new Map(),
    sizes: () => ({ feeds: [], sizes: new Map() }),
    fault: ([row]) =>
      notOneImage(row, { code: 'row/image', message: 'an image tokenizer learns from rows of one image' }),
    trace(t) {
      const { pixels, painted, latents, chosen, codes, perImage } = throughCodes(t);
      return t.graph.within('loss', () => {
        const share = t.share('sample');
        const apart = quantization(latents, chosen, perImage);
        const told = mul(reconstruction(pixels, painted), share);
        const book = mul(apart.book, share);
        const loss = add(told, add(mul(book, codebook), mul(mul(apart.commitment, share), commitment)));
        return { loss, metrics: { reconstruction: told, quantization: book }, seen: { latents, codes } };
      });
    },
    after: (done) => (patience > 0 ? care(done, patience) : {}),
  }),
});

/** Images painted from the nearest codes of their latents `[R, E]`; `perImage` of these are of one image. */
function throughCodes(t: Trace) {
  const { quantizer } = modelThat('quantizer', t.model, `objective ${name}`);
  const pixels = t.inputs({ N: 'B' }).pixels as Value;
  const book = quantizer.codeBook(t.p);
  const { rows: latents, grid } = quantizer.latents(t.p, pixels);
  const codes = quantizer.nearest(t.p, latents);
  // It stands in checkpoints; the graph has no use for it.
  t.p.at(KEPT).param('unused', [book.shape[0] as number], zerosInit);
  const chosen = t.graph.within('loss', () => gather(book, codes));
  const passed = t.graph.within('loss', () => straightThrough(chosen, latents));
  const painted = quantizer.restore(t.p, passed, grid);
  return { pixels, painted, latents, chosen, codes, perImage: grid[1] * grid[2] };
}

function care({ model, store, trained, seen, step }: After, patience: number) {
  const { quantizer } = modelThat('quantizer', model, `objective ${name}`);
  const book = store.tensors.get(quantizer.book) as Tensor<'float32'>;
  const unused = store.tensors.get(`${KEPT}.unused`) as Tensor<'float32'>;
  // Where the code book rests, ages are told and nothing begins anew.
  const settings = { patience: trained(quantizer.book) ? patience : Infinity, random: new Random(0, 'codes', step) };
  const { used, restarted } = restartDeadCodes({ book, unused }, seen as unknown as readonly Coded[], settings);
  return { codes_used: used, codes_restarted: restarted };
}
