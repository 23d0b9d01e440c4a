import { floatOf, intOf } from '../../onnx/attributes';
import { positiveAxis, range } from '../../onnx/dims';
import { asNeeded, type GradientRule, type GradientRules, unsupportedForm } from '../rule';

/**
 * Where the graph itself looks for NaNs in the result (rows that a mask empties, which attention then sets to zero),
 * they must not spread through the gradient.
 */
const softmax: GradientRule = (b, node, [g]) => {
  const result = node.outputs[0]!;
  const [watch] = b.nodes.filter(({ op, inputs }) => op === 'IsNaN' && inputs[0] === result);
  const y = watch ? b.where(watch.outputs[0]!, b.scalar(0, result), result) : result;
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

/** y = (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on; statistics are computed anew. */
const layerNormalization: GradientRule = (b, node, [g], needs) => {
  const [x, scale, bias] = node.inputs as [string, string, string | undefined];
  const axes = range(b.dims(x).length).slice(positiveAxis(intOf(node, 'axis', -1), b.dims(x).length));
  const centred = b.sub(x, b.reduceMean(x, axes, true));
  const variance = b.reduceMean(b.square(centred), axes, true);
  const deviation = b.sqrt(b.add(variance, b.scalar(floatOf(node, 'epsilon', 1e-5), x)));
  const normal = b.div(centred, deviation);
  const inner = (): string => {
    const scaled = b.mul(g!, scale);
    const along = b.mul(normal, b.reduceMean(b.mul(scaled, normal), axes, true));
    return b.div(b.sub(b.sub(scaled, b.reduceMean(scaled, axes, true)), along), deviation);
  };
  return asNeeded(
    needs,
    inner,
    () => b.sumTo(b.mul(g!, normal), b.dims(scale)),
    () => b.sumTo(g!, b.dims(bias!)),
  );
};

export const normalization: GradientRules = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalization,
  BatchNormalization: batchNormalization,
};
