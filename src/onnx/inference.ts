import { product } from './dims';
import { encodeModel } from './encode';
import type { Model, Node, TensorType, ValueInfo } from './graph';
import type { Runtime } from './runtime';

/** Ops whose outputs are sequences or optionals: nothing that a tensor type describes. */
const withoutTensors = new Set([
  'SequenceConstruct',
  'SequenceEmpty',
  'SequenceErase',
  'SequenceInsert',
  'SequenceMap',
  'SplitToSequence',
  'Optional',
]);

/** Bigger initializers decide no shapes: inference is given their types alone. */
export const longestShape = 4096;

/** Outputs of a node that are tensors. */
export function tensorOutputs(node: Node): readonly string[] {
  return withoutTensors.has(node.op) ? [] : node.outputs.filter((output) => output !== '');
}

/**
 * The types of a graph's values as far as the runtime's shape inference finds them; nothing is computed and no value takes
 * memory. Dimensions that only values decide are null.
 * @param model its inputs have static shapes
 */
export async function inferTypes(model: Model, runtime: Runtime): Promise<ReadonlyMap<string, ValueInfo>> {
  const { graph } = model;
  const values = graph.nodes.flatMap(tensorOutputs);
  const rankOf = new Map(values.map((name, index) => [name, `whence/rank/${index}`]));
  const ranks = [...rankOf].map(([name, rank]) => shapeNode(name, rank));
  const big = [...graph.initializers.values()].filter(({ dims }) => product(dims) > longestShape);
  const inputs = [...graph.inputs, ...big.map(({ name, dtype, dims }) => ({ name, dtype, dims }))];
  const initializers = new Map(graph.initializers);
  for (const { name } of big) initializers.delete(name);
  const asked = { ...model, graph: { ...graph, inputs, initializers, outputs: [], nodes: [...graph.nodes, ...ranks] } };
  const session = await runtime.createSession(encodeModel(asked, [...values, ...rankOf.values()]), {
    cpu: true,
    optimize: false,
  });
  const found = new Map(session.outputTypes.map((type) => [type.name, type]));
  await session.release();
  const types = new Map<string, ValueInfo>();
  for (const name of values) {
    const type = found.get(name);
    if (!type) continue;
    // A value of unknown rank is told as a scalar; the length of its shape tells the two apart.
    const rank = found.get(rankOf.get(name)!)?.dims?.[0];
    const dims =
      typeof rank === 'number' ? (type.dims ?? []).map((dim) => (typeof dim === 'number' ? dim : null)) : null;
    types.set(name, { name, dtype: type.dtype, dims });
  }
  return types;
}

/** The type where every dimension is known. */
export function staticType({ dtype, dims }: ValueInfo): TensorType | undefined {
  const known = dims?.filter((dim): dim is number => typeof dim === 'number');
  return known && known.length === dims!.length ? { dtype, dims: known } : undefined;
}

/** A node that gives the shape of `value`. */
export function shapeNode(value: string, output: string): Node {
  return { name: output, op: 'Shape', domain: '', inputs: [value], outputs: [output], attributes: {} };
}
