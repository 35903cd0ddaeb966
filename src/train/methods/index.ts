import { type Named, TesseraError } from '../../base/index.ts';
import type { Method, Objective } from '../objective.ts';
import { contrastive } from './contrastive.ts';
import { ddpo } from './ddpo.ts';
import { denseContrastive } from './dense-contrastive.ts';
import { dpo } from './dpo.ts';
import { halva } from './halva.ts';
import { itcItmItg } from './itc-itm-itg.ts';
import { lm } from './lm.ts';
import { mdpo } from './mdpo.ts';
import { vectorQuantization } from './vector-quantization.ts';

/** The training objectives, by the names that recipes give them. */
export const methods: Named<Method> = {
  lm,
  contrastive,
  'dense-contrastive': denseContrastive,
  dpo,
  ddpo,
  mdpo,
  halva,
  'itc-itm-itg': itcItmItg,
  'vector-quantization': vectorQuantization,
};

/**
 * The objective of a name, its options as the method has them where they are not given.
 * @throws TesseraError `train/objective`
 */
export function objectiveNamed(name: string, options: Named<number | boolean> = {}): Objective {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method) {
    const unlessTold = Object.entries(method.options).map(([option, { value }]) => [option, value]);
    return method.objective({ ...Object.fromEntries(unlessTold), ...options });
  }
  throw new TesseraError({
    code: 'train/objective',
    message: 'there is no such objective',
    expected: Object.keys(methods).join(', '),
    got: name,
  });
}
