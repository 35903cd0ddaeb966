import { broadcastShapes, type DType, dtypeInfo, formatShape, full } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Emitter, isFloat, type Op, sameDtype, shapeFault } from '../op.ts';

/** A value, or a number that takes the other operand's dtype. */
export type Operand = Value | number;

type Pair = readonly [Value, Value];
type Rule = (x: Pair, dy: Value, y: Value) => readonly [() => Value, () => Value];

function binary(name: string, onnx: string, rule: Rule | null, result?: DType): Op<null, Pair> {
  return {
    name,
    infer([a, b]) {
      const dtype = sameDtype([a, b]);
      const shape = broadcastShapes(a.shape, b.shape);
      if (!shape)
        throw shapeFault('shapes do not broadcast', { expected: formatShape(a.shape), got: formatShape(b.shape) });
      return { shape, dtype: result ?? dtype };
    },
    gradient:
      rule &&
      (({ inputs, outputs: [y], cotangents: [dy], wanted }) => {
        const [da, db] = rule(inputs, dy, y);
        return [wanted[0] ? da() : undefined, wanted[1] ? db() : undefined];
      }),
    emit: (e, x) => e.node(onnx, x),
  };
}

function unary(
  name: string,
  emit: (e: Emitter, x: string) => string,
  rule: ((x: Value, dy: Value, y: Value) => Value) | null,
): Op<null, [Value]> {
  return {
    name,
    infer: ([x]) => x,
    gradient: rule && (({ inputs: [x], outputs: [y], cotangents: [dy] }) => [rule(x, dy, y)]),
    emit: (e, [x]) => emit(e, x),
  };
}

const addOp = binary('Add', 'Add', (_, dy) => [() => dy, () => dy]);
const subOp = binary('Sub', 'Sub', (_, dy) => [() => dy, () => neg(dy)]);
const mulOp = binary('Mul', 'Mul', ([a, b], dy) => [() => mul(dy, b), () => mul(dy, a)]);
// d(a/b) = da/b - (a/b) db/b
const divOp = binary('Div', 'Div', ([, b], dy, y) => [() => div(dy, b), () => neg(div(mul(dy, y), b))]);
const maxOp = binary('Max', 'Max', ([a, b], dy) => [() => mul(dy, tieShare(a, b)), () => mul(dy, tieShare(b, a))]);
const minOp = binary('Min', 'Min', ([a, b], dy) => [
  () => mul(dy, tieShare(neg(a), neg(b))),
  () => mul(dy, tieShare(neg(b), neg(a))),
]);
const lessOp = binary('Less', 'Less', null, 'bool');
const equalOp = binary('Equal', 'Equal', null, 'bool');
const xorOp = binary('BitwiseXor', 'BitwiseXor', null);

/** The share of the cotangent that goes to `a` under max(a, b): 1 above, one half at a tie, 0 below. */
function tieShare(a: Value, b: Value): Value {
  const above = cast(less(b, a), a.dtype);
  const tie = cast(equal(a, b), a.dtype);
  return add(above, mul(tie, 0.5));
}

const onnxUnary = (type: string) => (e: Emitter, x: string) => e.node(type, [x]);

const negOp = unary('Neg', onnxUnary('Neg'), (_, dy) => neg(dy));
const expOp = unary('Exp', onnxUnary('Exp'), (_, dy, y) => mul(dy, y));
const logOp = unary('Log', onnxUnary('Log'), (x, dy) => div(dy, x));
const sqrtOp = unary('Sqrt', onnxUnary('Sqrt'), (_, dy, y) => div(mul(dy, 0.5), y));
const reciprocalOp = unary('Reciprocal', onnxUnary('Reciprocal'), (_, dy, y) => neg(mul(dy, mul(y, y))));
const tanhOp = unary('Tanh', onnxUnary('Tanh'), (_, dy, y) => mul(dy, sub(1, mul(y, y))));
const sigmoidOp = unary('Sigmoid', onnxUnary('Sigmoid'), (_, dy, y) => mul(dy, mul(y, sub(1, y))));
// d erf(x) = 2/sqrt(pi) exp(-x^2)
const erfOp = unary('Erf', onnxUnary('Erf'), (x, dy) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))));
const absOp = unary('Abs', onnxUnary('Abs'), (x, dy) => mul(dy, sign(x)));
const signOp = unary('Sign', onnxUnary('Sign'), null);
const floorOp = unary('Floor', onnxUnary('Floor'), null);
const reluOp = unary('Relu', onnxUnary('Relu'), (_, dy, y) => mul(dy, sign(y)));
const sinOp = unary('Sin', onnxUnary('Sin'), (x, dy) => mul(dy, cos(x)));
const cosOp = unary('Cos', onnxUnary('Cos'), (x, dy) => neg(mul(dy, sin(x))));
const stopOp = unary('StopGradient', onnxUnary('Identity'), null);

const powOp: Op<{ exponent: number }, [Value]> = {
  name: 'Pow',
  infer: ([x]) => x,
  // d x^p = p x^(p-1)
  gradient: ({ inputs: [x], cotangents: [dy], attrs: { exponent } }) => [mul(dy, mul(pow(x, exponent - 1), exponent))],
  emit: (e, [x], { exponent }, { inputs: [{ dtype }] }) => e.node('Pow', [x, e.constant(full(dtype, [], exponent))]),
};

const whereOp: Op<null, [Value, Value, Value]> = {
  name: 'Where',
  infer([condition, a, b]) {
    if (condition.dtype !== 'bool') throw shapeFault('the condition is no bool', { got: condition.dtype });
    const dtype = sameDtype([a, b]);
    const ab = broadcastShapes(a.shape, b.shape);
    const shape = ab && broadcastShapes(ab, condition.shape);
    if (!shape) throw shapeFault('shapes do not broadcast');
    return { shape, dtype };
  },
  gradient: ({ inputs: [condition], cotangents: [dy] }) => [
    undefined,
    where(condition, dy, 0),
    where(condition, 0, dy),
  ],
  emit: (e, x) => e.node('Where', x),
};

const castOp: Op<{ to: DType }, [Value]> = {
  name: 'Cast',
  infer: ([{ shape }], { to }) => ({ shape, dtype: to }),
  gradient: ({ inputs: [{ dtype }], cotangents: [dy] }) => [isFloat(dtype) ? cast(dy, dtype) : undefined],
  emit: (e, [x], { to }) => e.node('Cast', [x], { to: dtypeInfo[to].onnx }),
};

function pair(a: Operand, b: Operand): Pair {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? scalar(a, b) : b];
  if (typeof b !== 'number') return [scalar(b, a), b];
  throw shapeFault('at least one operand must be a value');
}

/** A scalar constant of the same graph and dtype as `like`. */
export function scalar(like: Value, value: number): Value {
  return like.node.graph.constant(full(like.dtype, [], value));
}

const apply2 = (op: Op<null, Pair>) => (a: Operand, b: Operand) => {
  const operands = pair(a, b);
  return operands[0].node.graph.apply(op, operands, null);
};
const apply1 = (op: Op<null, [Value]>) => (x: Value) => x.node.graph.apply(op, [x], null);

export const add: (a: Operand, b: Operand) => Value = apply2(addOp);
export const sub: (a: Operand, b: Operand) => Value = apply2(subOp);
export const mul: (a: Operand, b: Operand) => Value = apply2(mulOp);
export const div: (a: Operand, b: Operand) => Value = apply2(divOp);
/** Elementwise maximum; at a tie the cotangent is shared equally, as PyTorch does. */
export const maximum: (a: Operand, b: Operand) => Value = apply2(maxOp);
export const minimum: (a: Operand, b: Operand) => Value = apply2(minOp);
export const less: (a: Operand, b: Operand) => Value = apply2(lessOp);
export const equal: (a: Operand, b: Operand) => Value = apply2(equalOp);
/** Exclusive or of the bits of integers. */
export const bitwiseXor: (a: Operand, b: Operand) => Value = apply2(xorOp);

export const neg: (x: Value) => Value = apply1(negOp);
export const exp: (x: Value) => Value = apply1(expOp);
export const log: (x: Value) => Value = apply1(logOp);
export const sqrt: (x: Value) => Value = apply1(sqrtOp);
export const reciprocal: (x: Value) => Value = apply1(reciprocalOp);
export const tanh: (x: Value) => Value = apply1(tanhOp);
export const sigmoid: (x: Value) => Value = apply1(sigmoidOp);
export const erf: (x: Value) => Value = apply1(erfOp);
export const abs: (x: Value) => Value = apply1(absOp);
export const sign: (x: Value) => Value = apply1(signOp);
export const floor: (x: Value) => Value = apply1(floorOp);
export const relu: (x: Value) => Value = apply1(reluOp);
export const sin: (x: Value) => Value = apply1(sinOp);
export const cos: (x: Value) => Value = apply1(cosOp);
/** Passes the value on and no gradient. */
export const stopGradient: (x: Value) => Value = apply1(stopOp);

/** `x ** exponent` for a constant exponent. */
export function pow(x: Value, exponent: number): Value {
  return x.node.graph.apply(powOp, [x], { exponent });
}

/** Elementwise choice; condition is bool and broadcasts. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const [x, y] = pair(a, b);
  return condition.node.graph.apply(whereOp, [condition, x, y], null);
}

/** Converts elements; the only way a dtype changes. */
export function cast(x: Value, to: DType): Value {
  return x.dtype === to ? x : x.node.graph.apply(castOp, [x], { to });
}

/** The value of `forward` with the gradient of `backward`: straight-through estimation (Bengio et al. 2013). */
export function straightThrough(forward: Value, backward: Value): Value {
  return add(backward, stopGradient(sub(forward, backward)));
}
