import { floatOf, intOf, intsOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { positiveAxis, product, range } from '../dims';
import type { Attribute, Node } from '../graph';
import type { Lowering, Lowerings } from './lowering';

/** `x` with its last axis brought to mean 0 and variance 1. */
function standardized(b: GraphBuilder, x: string, epsilon: number): string {
  const scale = b.expand(b.scalar(1, x), [b.dims(x).at(-1)!]);
  const attributes: Record<string, Attribute> = {
    axis: { kind: 'int', value: -1 },
    epsilon: { kind: 'float', value: epsilon },
  };
  return b.emit('LayerNormalization', [x, scale], b.typeOf(x), attributes);
}

/** `x` times one number a channel, plus another. */
function perChannel(b: GraphBuilder, x: string, scale: string, bias: string): string {
  const dims = b.dims(x);
  const channels = [dims[1]!, ...dims.slice(2).map(() => 1)];
  return b.add(b.mul(x, b.reshape(scale, channels)), b.reshape(bias, channels));
}

/** Until opset 20 scale and bias have one number a group, since then one a channel. */
const groupNormalization: Lowering = (b, node) => {
  const [x, scale, bias] = node.inputs as [string, string, string];
  const dims = b.dims(x);
  const groups = intOf(node, 'num_groups', 1);
  const rows = b.reshape(x, [dims[0]!, groups, product(dims.slice(1)) / groups]);
  const normal = b.reshape(standardized(b, rows, floatOf(node, 'epsilon', 1e-5)), dims);
  const [each] = b.dims(scale) as [number];
  const stretched = (value: string): string =>
    b.reshape(b.expand(b.unsqueeze(value, [1]), [each, dims[1]! / each]), [dims[1]!]);
  return [perChannel(b, normal, stretched(scale), stretched(bias))];
};

const instanceNormalization: Lowering = (b, node) => {
  const [x, scale, bias] = node.inputs as [string, string, string];
  const dims = b.dims(x);
  const rows = b.reshape(x, [dims[0]!, dims[1]!, product(dims.slice(2))]);
  const normal = b.reshape(standardized(b, rows, floatOf(node, 'epsilon', 1e-5)), dims);
  return [perChannel(b, normal, scale, bias)];
};

/** y = x / sqrt(mean of squares + epsilon) * scale over the axes from `axis` on; the second output is 1 / the root. */
export const rootMeanSquare: Lowering = (b, node) => {
  const [x, scale] = node.inputs as [string, string];
  const rank = b.dims(x).length;
  const axes = range(rank).slice(positiveAxis(intOf(node, 'axis', -1), rank));
  const squares = b.reduceMean(b.square(x), axes, true);
  const root = b.sqrt(b.add(squares, b.scalar(floatOf(node, 'epsilon', 1e-5), x)));
  const inverse = node.outputs[1] ? b.div(b.scalar(1, x), root) : null;
  return [b.mul(b.div(x, root), scale), inverse];
};

/** Only where the graph reads mean or inverse deviation, its second and third outputs, too. */
const layerNormalization: Lowering = (b, node) => {
  if (!node.outputs.slice(1).some((output) => output !== '')) return null;
  const [x, scale, bias] = node.inputs as [string, string, string | undefined];
  // Statistics of half-precision numbers are kept in single precision.
  return layerStatistics(b, node, x, scale, bias).map((value, index) => {
    const output = node.outputs[index];
    return output ? b.cast(value, b.dtype(output)) : null;
  });
};

/** A LayerNormalization of `x` in plain ops: the result, mean and inverse deviation. */
export function layerStatistics(
  b: GraphBuilder,
  node: Node,
  x: string,
  scale: string,
  bias: string | undefined,
): readonly [string, string, string] {
  const rank = b.dims(x).length;
  const axes = range(rank).slice(positiveAxis(intOf(node, 'axis', -1), rank));
  const mean = b.reduceMean(x, axes, true);
  const centred = b.sub(x, mean);
  const variance = b.reduceMean(b.square(centred), axes, true);
  const inverse = b.div(b.scalar(1, x), b.sqrt(b.add(variance, b.scalar(floatOf(node, 'epsilon', 1e-5), x))));
  const scaled = b.mul(b.mul(centred, inverse), scale);
  return [bias ? b.add(scaled, bias) : scaled, mean, inverse];
}

const meanVarianceNormalization: Lowering = (b, node) => {
  const x = node.inputs[0]!;
  const axes = intsOf(node, 'axes') ?? [0, 2, 3];
  const centred = b.sub(x, b.reduceMean(x, axes, true));
  const variance = b.reduceMean(b.square(centred), axes, true);
  return [b.div(centred, b.add(b.sqrt(variance), b.scalar(1e-9, x)))];
};

const lpNormalization: Lowering = (b, node) => {
  const x = node.inputs[0]!;
  const axes = [intOf(node, 'axis', -1)];
  const first = intOf(node, 'p', 2) === 1;
  const total = b.reduceSum(first ? b.abs(x) : b.square(x), axes, true);
  return [b.div(x, first ? total : b.sqrt(total))];
};

/** y = x / (bias + alpha / size · Σ x² of `size` neighbouring channels)^beta. */
const localResponse: Lowering = (b, node) => {
  const x = node.inputs[0]!;
  const size = intOf(node, 'size', 1);
  const rank = b.dims(x).length;
  const sides = (length: number): readonly number[] => range(rank).map((axis) => (axis === 1 ? length : 0));
  const squares = b.pad(b.square(x), sides(Math.floor((size - 1) / 2)), sides(Math.ceil((size - 1) / 2)));
  const channels = b.dims(x)[1]!;
  const sum = range(size)
    .map((start) => b.slice(squares, [start], [start + channels], [1]))
    .reduce((total, part) => b.add(total, part));
  const scaled = b.scale(sum, floatOf(node, 'alpha', 1e-4) / size);
  const base = b.add(scaled, b.scalar(floatOf(node, 'bias', 1), x));
  return [b.div(x, b.pow(base, b.scalar(floatOf(node, 'beta', 0.75), x)))];
};

export const normalization: Lowerings = {
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LRN: localResponse,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  RMSNormalization: rootMeanSquare,
  SimplifiedLayerNormalization: rootMeanSquare,
};
