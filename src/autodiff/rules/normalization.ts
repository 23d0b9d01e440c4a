import { floatOf, intOf } from '../../onnx/attributes';
import { range } from '../../onnx/dims';
import { asNeeded, type GradientRule, type GradientRules, unsupportedForm } from '../rule';

const softmax: GradientRule = (b, node, [g]) => {
  const y = node.outputs[0]!;
  const mean = b.reduceSum(b.mul(y, g!), [intOf(node, 'axis', -1)], true);
  return [b.mul(y, b.sub(g!, mean))];
};

const logSoftmax: GradientRule = (b, node, [g]) => {
  const total = b.reduceSum(g!, [intOf(node, 'axis', -1)], true);
  return [b.sub(g!, b.mul(b.exp(node.outputs[0]!), total))];
};

/** y = (x - mean) / sqrt(variance + epsilon) * scale + bias with the stored statistics, channel by channel. */
const batchNormalization: GradientRule = (b, node, [g], needs) => {
  if (intOf(node, 'training_mode', 0) === 1) {
    throw unsupportedForm(
      b,
      node,
      "it uses the batch's statistics",
      'Export the model in evaluation mode: model.eval().',
    );
  }
  const [x, scale, , mean, variance] = node.inputs as [string, string, string, string, string];
  const dims = b.dims(x);
  const channels = [1, dims[1]!, ...dims.slice(2).map(() => 1)];
  const others = range(dims.length).filter((axis) => axis !== 1);
  const epsilon = b.scalar(floatOf(node, 'epsilon', 1e-5), variance);
  const deviation = b.sqrt(b.add(variance, epsilon));
  const slope = b.div(scale, b.cast(deviation, b.dtype(scale)));
  const centred = (): string => b.sub(x, b.cast(b.reshape(mean, channels), b.dtype(x)));
  const projected = (): string => b.reduceSum(b.mul(g!, centred()), others);
  const total = (): string => b.reduceSum(g!, others);
  return asNeeded(
    needs,
    () => b.mul(g!, b.cast(b.reshape(slope, channels), b.dtype(g!))),
    () => b.div(b.cast(projected(), b.dtype(scale)), b.cast(deviation, b.dtype(scale))),
    () => b.cast(total(), b.dtype(scale)),
    () => b.cast(b.neg(b.mul(b.cast(total(), b.dtype(scale)), slope)), b.dtype(mean)),
    () => {
      const numerator = b.scale(b.mul(b.cast(projected(), b.dtype(scale)), slope), -0.5);
      return b.div(b.cast(numerator, b.dtype(variance)), b.square(deviation));
    },
  );
};

export const normalization: GradientRules = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  BatchNormalization: batchNormalization,
};
