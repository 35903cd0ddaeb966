import { float32, full, int64 } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import { otherwise, type Rules } from './rules.ts';

/** What a file for other tools may not hold: operators of ONNX Runtime's own outside its own domain. */
export const portable: Rules = {
  RmsNorm: otherwise<{ readonly epsilon: number }, [x: Value, weight: Value], [y: Value, inverse: Value]>(
    'SimplifiedLayerNormalization stands in the default domain and in no version of it; ONNX Runtime makes it of these',
    (e, [x, weight], { epsilon }, { inputs: [spec] }) => {
      const squares = e.node('Pow', [x, e.constant(float32([], [2]))]);
      const mean = e.node('ReduceMean', [squares, e.constant(int64([1], [-1]))], { keepdims: 1 });
      const root = e.node('Sqrt', [e.node('Add', [mean, e.constant(full(spec.dtype, [], epsilon))])]);
      return [e.node('Mul', [weight, e.node('Div', [x, root])]), e.node('Reciprocal', [root])];
    },
  ),
};
