import { intOf, intsOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { positiveAxis, product, range, reducedDims } from '../../onnx/dims';
import type { Node } from '../../onnx/graph';
import { constantInput, type GradientRule, type GradientRules } from '../rule';

/** The axes that a Reduce node sums over, wherever its opset spells them. */
function reducedAxes(b: GraphBuilder, node: Node): readonly number[] {
  const rank = b.dims(node.inputs[0]!).length;
  const axes = intsOf(node, 'axes') ?? constantInput(b, node, 1) ?? [];
  if (axes.length === 0) return intOf(node, 'noop_with_empty_axes', 0) === 1 ? [] : range(rank);
  return axes.map((axis) => positiveAxis(axis, rank));
}

/** `value` of the reduced shape with its axes of length one back in place. */
function kept(b: GraphBuilder, node: Node, value: string): string {
  return b.reshape(value, reducedDims(b.dims(node.inputs[0]!), reducedAxes(b, node), true));
}

function withAxes(gradient: GradientRule): GradientRule {
  return (b, node, gradients, needs) => [
    ...gradient(b, node, gradients, needs),
    ...node.inputs.slice(1).map(() => null),
  ];
}

/** Largest or smallest: equals share the gradient, as in PyTorch's amax. */
const extremum = withAxes((b, node, [g]) => {
  const x = node.inputs[0]!;
  const hits = b.cast(b.equal(x, kept(b, node, node.outputs[0]!)), b.dtype(x));
  const share = b.div(kept(b, node, g!), b.reduceSum(hits, reducedAxes(b, node), true));
  return [b.mul(hits, share)];
});

/** Of the zero vector, where the norm has a kink, the gradient is zero as in PyTorch. */
const norm = withAxes((b, node, [g]) => {
  const y = kept(b, node, node.outputs[0]!);
  const length = b.where(b.greater(y, b.scalar(0, y)), y, b.scalar(1, y));
  return [b.mul(node.inputs[0]!, b.div(kept(b, node, g!), length))];
});

export const reduce: GradientRules = {
  ReduceSum: withAxes((b, node, [g]) => [b.expand(kept(b, node, g!), b.dims(node.inputs[0]!))]),
  ReduceMean: withAxes((b, node, [g]) => {
    const dims = b.dims(node.inputs[0]!);
    const count = product(reducedAxes(b, node).map((axis) => dims[axis]!));
    return [b.expand(b.scale(kept(b, node, g!), 1 / count), dims)];
  }),
  ReduceL1: withAxes((b, node, [g]) => [b.mul(b.sign(node.inputs[0]!), kept(b, node, g!))]),
  ReduceL2: norm,
  ReduceSumSquare: withAxes((b, node, [g]) => [b.mul(b.scale(node.inputs[0]!, 2), kept(b, node, g!))]),
  ReduceLogSum: withAxes((b, node, [g]) => {
    const share = b.mul(kept(b, node, g!), b.exp(b.neg(kept(b, node, node.outputs[0]!))));
    return [b.expand(share, b.dims(node.inputs[0]!))];
  }),
  ReduceLogSumExp: withAxes((b, node, [g]) => {
    const x = node.inputs[0]!;
    return [b.mul(kept(b, node, g!), b.exp(b.sub(x, kept(b, node, node.outputs[0]!))))];
  }),
  ReduceMax: extremum,
  ReduceMin: extremum,
};
