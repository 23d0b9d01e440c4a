import type { GraphBuilder } from '../../onnx/builder';
import type { GradientRule } from '../rule';

/** A rule for an op of one input: `gradient` emits x's gradient from the input x, the output y and y's gradient g. */
export function unary(gradient: (b: GraphBuilder, x: string, y: string, g: string) => string): GradientRule {
  return (b, node, [g]) => [gradient(b, node.inputs[0]!, node.outputs[0]!, g!)];
}

/** `g` where `condition` holds, else 0. */
export function gate(b: GraphBuilder, condition: string, g: string): string {
  return b.where(condition, g, b.scalar(0, g));
}
