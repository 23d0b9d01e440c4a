import { intOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { positiveAxis, product } from '../../onnx/dims';
import { constantInput, type GradientRule, type GradientRules } from '../rule';
import { tupleIndices } from './tupleIndices';

/**
 * The gradient of taking whole slices of a value of shape `dims` at `indices` along `axis`; slices taken more than once
 * add up. `g` is [...dims before axis, ...indices' dims, ...dims after it].
 */
export function gatherGradient(
  b: GraphBuilder,
  g: string,
  indices: string,
  dims: readonly number[],
  axis: number,
): string {
  const [before, after] = [product(dims.slice(0, axis)), product(dims.slice(axis + 1))];
  const count = product(b.dims(indices));
  const places = b.expand(b.reshape(indices, [1, count, 1]), [before, count, after]);
  const zeros = b.zeros({ dtype: b.dtype(g), dims: [before, dims[axis]!, after] });
  const scattered = b.scatterElements(zeros, places, b.reshape(g, [before, count, after]), 1, 'add');
  return b.reshape(scattered, dims);
}

const gather: GradientRule = (b, node, [g]) => {
  const [value, indices] = node.inputs as [string, string];
  const dims = b.dims(value);
  return [gatherGradient(b, g!, indices, dims, positiveAxis(intOf(node, 'axis', 0), dims.length)), null];
};

const gatherElements: GradientRule = (b, node, [g]) => {
  const zeros = b.zeros(b.typeOf(node.inputs[0]!));
  return [b.scatterElements(zeros, node.inputs[1]!, g!, intOf(node, 'axis', 0), 'add'), null];
};

const gatherNd: GradientRule = (b, node, [g]) => {
  const [value, indices] = node.inputs as [string, string];
  const dims = b.dims(value);
  const { flat, rows } = tupleIndices(b, indices, dims, intOf(node, 'batch_dims', 0));
  return [b.reshape(gatherGradient(b, g!, rows, flat, 0), dims), null];
};

const topK: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  const indices = b.siblingOutput(node.outputs[0]!, 1, { dtype: 'int64', dims: b.dims(g!) });
  return [b.scatterElements(b.zeros(b.typeOf(x)), indices, g!, intOf(node, 'axis', -1), 'add'), null];
};

/** A running sum's gradient is the running sum from the other end. */
const cumSum: GradientRule = (b, node, [g]) => {
  const [axis] = constantInput(b, node, 1)!;
  const reverse = intOf(node, 'reverse', 0) !== 1;
  return [b.cumSum(g!, axis!, { reverse, exclusive: intOf(node, 'exclusive', 0) === 1 }), null];
};

export const indexing: GradientRules = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  TopK: topK,
  CumSum: cumSum,
};
