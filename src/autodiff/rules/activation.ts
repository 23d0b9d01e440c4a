import { floatOf, stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { asNeeded, type GradientRule, type GradientRules } from '../rule';
import { gate, unary } from './unary';

/** One minus `value`, element by element. */
function complement(b: GraphBuilder, value: string): string {
  return b.sub(b.scalar(1, value), value);
}

function positive(b: GraphBuilder, value: string): string {
  return b.greater(value, b.scalar(0, value));
}

function sigmoid(b: GraphBuilder, value: string): string {
  return b.emit('Sigmoid', [value], b.typeOf(value));
}

const gelu: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  const square = b.square(x);
  if (stringOf(node, 'approximate', 'none') === 'tanh') {
    const c = Math.sqrt(2 / Math.PI);
    const inner = b.scale(b.mul(x, b.add(b.scale(square, 0.044715), b.scalar(1, x))), c);
    const tanh = b.emit('Tanh', [inner], b.typeOf(x));
    const slope = b.scale(b.add(b.scale(square, 3 * 0.044715), b.scalar(1, x)), c);
    const bend = b.mul(b.mul(x, complement(b, b.square(tanh))), slope);
    return [b.mul(g!, b.scale(b.add(b.add(tanh, b.scalar(1, x)), bend), 0.5))];
  }
  const erf = b.emit('Erf', [b.scale(x, Math.SQRT1_2)], b.typeOf(x));
  const density = b.scale(b.exp(b.scale(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return [b.mul(g!, b.add(b.scale(b.add(erf, b.scalar(1, x)), 0.5), b.mul(x, density)))];
};

/** y = x for positive x, else alpha (exp(x) - 1), of which y + alpha is the slope. */
const elu: GradientRule = (b, node, [g]) => {
  const y = node.outputs[0]!;
  const slope = b.add(y, b.scalar(floatOf(node, 'alpha', 1), y));
  return [b.where(positive(b, node.inputs[0]!), g!, b.mul(g!, slope))];
};

/** y = max(0, min(1, alpha x + beta)): sloped where strictly between. */
const hardSigmoid: GradientRule = (b, node, [g]) => {
  const y = node.outputs[0]!;
  const between = b.and(positive(b, y), b.greater(b.scalar(1, y), y));
  return [gate(b, between, b.scale(g!, floatOf(node, 'alpha', 0.2)))];
};

/** y = x max(0, min(1, x / 6 + 1 / 2)). */
const hardSwish = unary((b, x, _y, g) => {
  const middle = b.mul(g, b.add(b.scale(x, 1 / 3), b.scalar(0.5, x)));
  return b.where(b.greater(x, b.scalar(3, x)), g, gate(b, b.greater(x, b.scalar(-3, x)), middle));
});

/** y = x tanh(softplus(x)). The exponential is kept from overflowing where the tanh is 1 anyway. */
const mish = unary((b, x, _y, g) => {
  const far = b.greater(x, b.scalar(20, x));
  const softplus = b.emit('Softplus', [b.where(far, b.scalar(20, x), x)], b.typeOf(x));
  const tanh = b.emit('Tanh', [softplus], b.typeOf(x));
  const slope = b.add(tanh, b.mul(b.mul(x, sigmoid(b, x)), complement(b, b.square(tanh))));
  return b.where(far, g, b.mul(g, slope));
});

const prelu: GradientRule = (b, node, [g], needs) => {
  const [x, slope] = node.inputs as [string, string];
  const side = positive(b, x);
  return asNeeded(
    needs,
    () => b.where(side, g!, b.mul(g!, slope)),
    () => b.sumTo(b.where(side, b.scalar(0, x), b.mul(g!, x)), b.dims(slope)),
  );
};

/** y = max(0, x) + min(0, alpha (exp(x / alpha) - 1)). */
const celu: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  // Kept from overflowing where it is not used.
  const negative = b.where(positive(b, x), b.scalar(0, x), x);
  const slope = b.exp(b.scale(negative, 1 / floatOf(node, 'alpha', 1)));
  return [b.mul(g!, slope)];
};

/** y = gamma x for positive x, else gamma alpha (exp(x) - 1), of which y + gamma alpha is the slope. */
const selu: GradientRule = (b, node, [g]) => {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const alpha = floatOf(node, 'alpha', 1.6732632423543772);
  const gamma = floatOf(node, 'gamma', 1.0507009873554805);
  return [b.where(positive(b, x), b.scale(g!, gamma), b.mul(g!, b.add(y, b.scalar(alpha * gamma, y))))];
};

const thresholdedRelu: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  return [gate(b, b.greater(x, b.scalar(floatOf(node, 'alpha', 1), x)), g!)];
};

/** y = x + bias below -lambd, x - bias above lambd, else 0. */
const shrink: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  return [gate(b, b.greater(b.abs(x), b.scalar(floatOf(node, 'lambd', 0.5), x)), g!)];
};

export const activation: GradientRules = {
  // One mask serves all draws of a Fisher, and onnxruntime multiplies several times faster than it chooses.
  Relu: unary((b, _x, y, g) => b.mul(g, b.cast(positive(b, y), b.dtype(g)))),
  LeakyRelu: (b, node, [g]) => [b.where(positive(b, node.inputs[0]!), g!, b.scale(g!, floatOf(node, 'alpha', 0.01)))],
  PRelu: prelu,
  Celu: celu,
  Elu: elu,
  Gelu: gelu,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Mish: mish,
  Selu: selu,
  Sigmoid: unary((b, _x, y, g) => b.mul(g, b.mul(y, complement(b, y)))),
  Softplus: unary((b, x, _y, g) => b.mul(g, sigmoid(b, x))),
  Softsign: unary((b, x, _y, g) => b.div(g, b.square(b.add(b.abs(x), b.scalar(1, x))))),
  Shrink: shrink,
  ThresholdedRelu: thresholdedRelu,
  Tanh: unary((b, _x, y, g) => b.mul(g, complement(b, b.square(y)))),
};
