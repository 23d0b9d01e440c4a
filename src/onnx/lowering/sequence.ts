import { intOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { positiveAxis, range } from '../dims';
import type { Node } from '../graph';
import type { Lowering, Lowerings } from './lowering';

/** Lengths of the parts that a SplitToSequence makes; null where they are computed while the model runs. */
function partLengths(b: GraphBuilder, node: Node, length: number): readonly number[] | null {
  const given = node.inputs[1];
  if (!given) return range(length).map(() => 1);
  const parts = b.constantOf(given);
  if (!parts || b.dims(given).length > 0) return parts;
  const [size] = parts as [number];
  return range(Math.ceil(length / size)).map((part) => Math.min(size, length - part * size));
}

const splitToSequence: Lowering = (b, node, sequences) => {
  const [value, given] = node.inputs as [string, string | undefined];
  const dims = b.dims(value);
  const axis = positiveAxis(intOf(node, 'axis', 0), dims.length);
  const lengths = partLengths(b, node, dims[axis]!);
  if (!lengths) return null;
  const parts = b.split(value, lengths, axis);
  const squeezed = !given && intOf(node, 'keepdims', 1) === 0;
  sequences.set(node.outputs[0]!, squeezed ? parts.map((part) => b.squeeze(part, [axis])) : parts);
  return [null];
};

const sequenceConstruct: Lowering = (_b, node, sequences) => {
  sequences.set(node.outputs[0]!, node.inputs);
  return [null];
};

const sequenceAt: Lowering = (b, node, sequences) => {
  const [name, position] = node.inputs as [string, string];
  const values = sequences.get(name);
  const index = b.constantOf(position)?.[0];
  const value = index === undefined ? undefined : values?.at(index);
  return value === undefined ? null : [value];
};

const concatFromSequence: Lowering = (b, node, sequences) => {
  const values = sequences.get(node.inputs[0]!);
  if (!values || values.length === 0) return null;
  const axis = intOf(node, 'axis', 0);
  if (intOf(node, 'new_axis', 0) === 0) return [b.concat(values, axis)];
  return [
    b.concat(
      values.map((value) => b.unsqueeze(value, [axis])),
      axis,
    ),
  ];
};

export const sequence: Lowerings = {
  SplitToSequence: splitToSequence,
  SequenceConstruct: sequenceConstruct,
  SequenceAt: sequenceAt,
  ConcatFromSequence: concatFromSequence,
};
