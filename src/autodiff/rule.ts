import type { GraphBuilder } from '../onnx/builder';
import type { Node } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';

/**
 * The reverse pass of one op: emits what computes the gradients of a node's inputs from those of its outputs.
 *
 * `gradients` has one value for each output, zeros where nothing arrives (the empty string for outputs that are absent
 * or no floats). The result has one entry for each input of the node, of its shape and type; null where the input
 * carries no gradient or `needs` does not ask for it.
 */
export type GradientRule = (
  builder: GraphBuilder,
  node: Node,
  gradients: readonly string[],
  needs: readonly boolean[],
) => readonly (string | null)[];

export type GradientRules = Readonly<Record<string, GradientRule>>;

/** Runs the emitters of those inputs whose gradients are needed. */
export function asNeeded(
  needs: readonly boolean[],
  ...emitters: readonly (() => string)[]
): readonly (string | null)[] {
  return emitters.map((emit, input) => (needs[input] ? emit() : null));
}

/** A rule exists but not for this form of the node. */
export function unsupportedForm(builder: GraphBuilder, node: Node, reason: string, mend: string): WhenceError {
  return new WhenceError('unsupported-op', `Node ${node.name} (${node.op}) cannot be differentiated: ${reason}.`, {
    ...(builder.file ? { file: builder.file } : {}),
    place: `node ${node.name}`,
    mend,
  });
}

/** The integers that an input holds, where the graph fixes them. */
export function constantInput(builder: GraphBuilder, node: Node, input: number): readonly number[] | null {
  const value = node.inputs[input];
  if (!value) return null;
  const constant = builder.constantOf(value);
  if (constant) return constant;
  throw unsupportedForm(
    builder,
    node,
    `its input ${value} is computed while the model runs`,
    'Export the model with fixed shapes except for the batch.',
  );
}
