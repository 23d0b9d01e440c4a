import { product } from './dims';
import { encodeModel } from './encode';
import type { Model, Node, TensorType, ValueInfo } from './graph';
import type { Runtime } from './runtime';
import { bytesOf, tensorOf } from './tensor';

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

/**
 * Ops that make more of their inputs; the others' outputs have no dimension beyond the number of elements of an input. A joined
 * sequence is no larger than the tensors that nodes have put into it.
 */
export const growing: ReadonlySet<string> = new Set([
  'AffineGrid',
  'AveragePool',
  'BlackmanWindow',
  'CenterCropPad',
  'Col2Im',
  'Concat',
  'ConstantOfShape',
  'Conv',
  'ConvTranspose',
  'DFT',
  'Expand',
  'HammingWindow',
  'HannWindow',
  'LpPool',
  'MaxPool',
  'MaxUnpool',
  'MelWeightMatrix',
  'Multinomial',
  'OneHot',
  'Pad',
  'RandomNormal',
  'RandomUniform',
  'Range',
  'Resize',
  'STFT',
  'Tile',
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
 * @throws WhenceError `runtime-failed` for nodes that don't fit together, `out-of-memory` for a dimension beyond 2³¹
 */
export async function inferTypes(model: Model, runtime: Runtime): Promise<ReadonlyMap<string, ValueInfo>> {
  const values = model.graph.nodes.flatMap(tensorOutputs);
  const rankOf = new Map(values.map((name, index) => [name, `whence/rank/${index}`]));
  const ranks = [...rankOf].map(([name, rank]) => shapeNode(name, rank));
  const found = await outputTypes(model, ranks, [...values, ...rankOf.values()], runtime);
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

/**
 * Those of some values of which a dimension is beyond 2³¹. The runtime tells dimensions modulo 2³², so an immense one may look
 * small; of every 2³¹st element there is one, or else there are more than it says.
 */
export async function immense(
  model: Model,
  runtime: Runtime,
  types: ReadonlyMap<string, TensorType>,
  values: readonly string[],
): Promise<readonly string[]> {
  const asked = values.filter((name) => types.get(name)!.dims.length > 0);
  if (asked.length === 0) return [];
  const initializers = new Map(model.graph.initializers);
  const slices = asked.map((value, index): Node => {
    const rank = types.get(value)!.dims.length;
    const bounds = [0, Number.MAX_SAFE_INTEGER, 2 ** 31].map((number, place) => {
      const name = `whence/sparse/${rank}/${place}`;
      const bytes = bytesOf(tensorOf('int64', [rank], new Array<number>(rank).fill(number)));
      initializers.set(name, { name, dtype: 'int64', dims: [rank], bytes });
      return name;
    });
    const [starts = '', ends = '', steps = ''] = bounds;
    const output = `whence/sparse/${index}`;
    return {
      name: output,
      op: 'Slice',
      domain: '',
      inputs: [value, starts, ends, '', steps],
      outputs: [output],
      attributes: {},
    };
  });
  const outputs = slices.flatMap((node) => node.outputs);
  const found = await outputTypes({ ...model, graph: { ...model.graph, initializers } }, slices, outputs, runtime);
  return asked.filter((name, index) => {
    const sparse = found.get(outputs[index]!)?.dims ?? [];
    return types.get(name)!.dims.some((dim, axis) => sparse[axis] !== Math.min(dim, 1));
  });
}

async function outputTypes(
  model: Model,
  more: readonly Node[],
  outputs: readonly string[],
  runtime: Runtime,
): Promise<ReadonlyMap<string, ValueInfo>> {
  const { graph } = model;
  const big = [...graph.initializers.values()].filter(({ dims }) => product(dims) > longestShape);
  const inputs = [...graph.inputs, ...big.map(({ name, dtype, dims }) => ({ name, dtype, dims }))];
  const initializers = new Map(graph.initializers);
  for (const { name } of big) initializers.delete(name);
  const asked = { ...model, graph: { ...graph, inputs, initializers, outputs: [], nodes: [...graph.nodes, ...more] } };
  const session = await runtime.createSession(encodeModel(asked, outputs), { cpu: true, optimize: false });
  const found = new Map(session.outputTypes.map((type) => [type.name, type]));
  await session.release();
  return found;
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
