import { intOf } from './attributes';
import { product } from './dims';
import type { Initializer, Model, Node, TensorType } from './graph';
import type { Tensor } from './runtime';
import { bytesOf, tensorOf } from './tensor';

/** What a Shape or Size node gives for an input of known type; undefined for other nodes. */
export function shapeOf(node: Node, types: ReadonlyMap<string, TensorType>): Tensor | undefined {
  const type = types.get(node.inputs[0] ?? '');
  if (!type || node.domain !== '') return undefined;
  if (node.op === 'Size') return tensorOf('int64', [], [product(type.dims)]);
  if (node.op !== 'Shape') return undefined;
  // Negative bounds count from the end, as those of `slice` do.
  const dims = type.dims.slice(intOf(node, 'start', 0), intOf(node, 'end', type.dims.length));
  return tensorOf('int64', [dims.length], dims);
}

/** The graph with the shapes that are known as constants: what a shape was taken of need not be computed for it. */
export function withShapes(model: Model, types: ReadonlyMap<string, TensorType>): Model {
  const { graph } = model;
  const initializers = new Map<string, Initializer>(graph.initializers);
  const nodes = graph.nodes.filter((node) => {
    const shape = shapeOf(node, types);
    const name = node.outputs[0]!;
    if (shape) initializers.set(name, { name, dtype: 'int64', dims: shape.dims, bytes: bytesOf(shape) });
    return !shape;
  });
  return { ...model, graph: { ...graph, initializers, nodes } };
}
