import type { Node } from '../../onnx/graph';
import type { TensorRef } from '../tensor';
import { type Expression, gates, layerTensorsOf, reshape, stack, tensor } from './expression';
import { onlyOne, type Search, type Weight } from './search';
import { sameValues } from './values';

/** Which of PyTorch's gates stands at each place of ONNX's: iofc from ifgo, zrh from rzn. */
const gateOrders: Readonly<Record<string, readonly number[]>> = { LSTM: [0, 3, 1, 2], GRU: [1, 0, 2], RNN: [0] };

/**
 * Binds the weights of LSTM, GRU and RNN nodes: of each direction the input and the recurrent weights with their gates in
 * another order, and both biases in one row.
 */
export async function bindRecurrent(search: Search): Promise<void> {
  for (const node of search.model.graph.nodes) {
    const order = gateOrders[node.op];
    if (!order || node.domain !== '') continue;
    for (const input of [1, 2]) await bindWeight(search, search.openWeight(node.inputs[input]), order);
    await bindBias(search, node, order);
  }
}

/** [directions, gates · hidden, width]. */
async function bindWeight(search: Search, weight: Weight | undefined, order: readonly number[]): Promise<void> {
  if (!weight || weight.constant) return;
  const { initializer } = weight;
  const [directions, rows, width] = initializer.dims;
  if (width === undefined) return;
  const content = await search.values.ofInitializer(initializer);
  const parts: Expression[] = [];
  for (let direction = 0; direction < directions!; direction++) {
    const block = content.subarray(direction * rows! * width, (direction + 1) * rows! * width);
    const ref = await findTensor(search, block, [rows!, width], order);
    if (!ref) return;
    parts.push(reshape(gates(tensor(ref.name, ref.dims), order), [1, rows!, width]));
  }
  search.bind(initializer, stack(parts));
}

/** [directions, 2 · gates · hidden]: the input's biases, then the recurrent ones. */
async function bindBias(search: Search, node: Node, order: readonly number[]): Promise<void> {
  const bias = search.openWeight(node.inputs[3]);
  if (!bias) return;
  // Large weights are not folded, but moved by nodes: then no names tell equal biases apart.
  const [input, recurrent] = [1, 2].map((at) => search.bound.get(node.inputs[at] ?? ''));
  const { initializer } = bias;
  const [directions, both] = initializer.dims;
  const rows = both! / 2;
  const content = await search.values.ofInitializer(initializer);
  const parts: Expression[] = [];
  for (let half = 0; half < 2 * directions!; half++) {
    const own = half % 2 === 0 ? input : recurrent;
    const weight = own && layerTensorsOf(own)[Math.floor(half / 2)];
    const block = content.subarray(half * rows, (half + 1) * rows);
    const ref = await findTensor(search, block, [rows], order, weight?.replace('weight', 'bias'));
    if (!ref) break;
    parts.push(gates(tensor(ref.name, ref.dims), order));
  }
  if (parts.length === 2 * directions!) search.bind(initializer, stack(parts));
  else if (bias.constant && bias.sample[0] === 0 && parts.length === 0) search.fixed.add(initializer.name);
}

/** The tensor of `dims` whose gates in ONNX's order are `block`; the one called `name` where that is one of several. */
async function findTensor(
  search: Search,
  block: Float32Array,
  dims: readonly number[],
  order: readonly number[],
  name?: string,
): Promise<TensorRef | undefined> {
  const own = new Float32Array(block.length);
  const length = block.length / order.length;
  order.forEach((from, to) => {
    own.set(block.subarray(to * length, (to + 1) * length), from * length);
  });
  const positions = [0, Math.floor(own.length / 2), own.length - 1];
  const wanted = Float32Array.from(positions, (position) => own[position]!);
  const found: TensorRef[] = [];
  for (const ref of search.tensors) {
    if (ref.dims.join() !== dims.join()) continue;
    if (!sameValues(await search.values.at(ref, positions), wanted)) continue;
    if (sameValues(await search.values.ofTensor(ref), own)) found.push(ref);
  }
  return found.find((ref) => ref.name === name) ?? onlyOne(found);
}
