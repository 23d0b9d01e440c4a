import { intOf } from './attributes';
import { constantNode } from './constant';
import type { Initializer, Model, Node } from './graph';
import { bytesOf, initializerTensor, numbersOf, tensorOf } from './tensor';

/**
 * The graph with each part that is taken from a split tensor as a slice of that tensor, where the graph says which part it
 * is: shape inference looks into no sequences.
 */
export function withSlices(model: Model): Model {
  const { graph } = model;
  const splits = new Map<string, Node>();
  const constants = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (node.op === 'SplitToSequence' && node.domain === '') splits.set(node.outputs[0]!, node);
    if (node.op === 'Constant') constants.set(node.outputs[0]!, node);
  }
  if (splits.size === 0) return model;
  const listOf = (name: string | undefined): readonly number[] | null => {
    const initializer = graph.initializers.get(name ?? '');
    const tensor = initializer && initializerTensor(initializer);
    if (tensor) return numbersOf(tensor);
    const node = constants.get(name ?? '');
    return node ? constantNode(node) : null;
  };
  const initializers = new Map(graph.initializers);
  const list = (values: readonly number[]): string => {
    const name = `whence/part/${values.join()}`;
    const { dtype, dims, data } = tensorOf('int64', [values.length], values);
    initializers.set(name, { name, dtype, dims, bytes: bytesOf({ dtype, dims, data }) } satisfies Initializer);
    return name;
  };
  const nodes = graph.nodes.map((node): Node => {
    const split = node.op === 'SequenceAt' ? splits.get(node.inputs[0]!) : undefined;
    const index = listOf(node.inputs[1])?.[0];
    if (!split || index === undefined) return node;
    const axis = intOf(split, 'axis', 0);
    const [whole = '', lengths] = split.inputs;
    if (!lengths && intOf(split, 'keepdims', 1) === 0) {
      return {
        ...node,
        op: 'Gather',
        inputs: [whole, node.inputs[1]!],
        attributes: { axis: { kind: 'int', value: axis } },
      };
    }
    const range = rangeOf(index, lengths ? listOf(lengths) : [1]);
    if (!range) return node;
    return { ...node, op: 'Slice', inputs: [whole, list([range[0]]), list([range[1]]), list([axis])], attributes: {} };
  });
  return { ...model, graph: { ...graph, nodes, initializers } };
}

/** Where the part at `index` begins and ends; one length is that of all parts. */
function rangeOf(index: number, lengths: readonly number[] | null): readonly [number, number] | undefined {
  if (!lengths) return undefined;
  if (lengths.length === 1) return index < 0 ? undefined : [index * lengths[0]!, (index + 1) * lengths[0]!];
  const position = index < 0 ? index + lengths.length : index;
  const start = lengths.slice(0, position).reduce((sum, length) => sum + length, 0);
  return position in lengths ? [start, start + lengths[position]!] : undefined;
}
