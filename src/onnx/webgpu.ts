import { intOf } from './attributes';
import type { Initializer, Model, Node, TensorType } from './graph';
import { bytesOf, tensorOf } from './tensor';

/**
 * The same graph in a form that onnxruntime 1.30's WebGPU kernels compute rightly. Its convolution reads the input's channels
 * in threes where their number is a multiple of three and not of four, the output's one of four; beyond three channels
 * its numbers are then wrong. Channels of zeros fill such inputs and weights up to a multiple of four, which changes nothing.
 * Other wrong kernels are few and rare: the comparison with the CPU finds them, and nothing runs there.
 */
export function forWebGpu(model: Model): Model {
  const weights = new Map<string, TensorType>(
    [...model.graph.inputs, ...model.graph.initializers.values()].flatMap(({ name, dtype, dims }) => {
      const fixed = (dims ?? [null]).filter((dim): dim is number => typeof dim === 'number');
      return fixed.length === dims?.length ? [[name, { dtype, dims: fixed }]] : [];
    }),
  );
  const initializers = new Map(model.graph.initializers);
  const nodes = model.graph.nodes.flatMap((node) => {
    const type = weights.get(node.inputs[1] ?? '');
    if (node.op !== 'Conv' || node.domain !== '' || !type || !readsInThrees(node, type)) return [node];
    const pads = padding(type);
    initializers.set(pads.name, pads);
    const [x, weight, ...bias] = node.inputs as [string, string, ...string[]];
    const [input, kernel] = [x, weight].map((value, index) => pad(node, value, index, pads.name)) as [Node, Node];
    return [input, kernel, { ...node, inputs: [input.outputs[0]!, kernel.outputs[0]!, ...bias] }];
  });
  return { ...model, graph: { ...model.graph, initializers, nodes } };
}

function readsInThrees(node: Node, { dims: [outputs, channels] }: TensorType): boolean {
  if (intOf(node, 'group', 1) !== 1) return false;
  return channels! > 3 && channels! % 3 === 0 && channels! % 4 !== 0 && outputs! % 4 === 0;
}

/** The `pads` of zeros after the channels, axis 1 of inputs and weights alike. */
function padding({ dims }: TensorType): Initializer {
  const missing = 4 - (dims[1]! % 4);
  const ends = dims.map((_, axis) => (axis === 1 ? missing : 0));
  const tensor = tensorOf('int64', [2 * dims.length], [...dims.map(() => 0), ...ends]);
  const name = `whence/webgpu/pads/${missing}/${dims.length}`;
  return { name, dtype: 'int64', dims: tensor.dims, bytes: bytesOf(tensor) };
}

function pad(node: Node, value: string, index: number, pads: string): Node {
  const output = `whence/webgpu/${node.outputs[0]}/${index}`;
  return { name: output, op: 'Pad', domain: '', inputs: [value, pads], outputs: [output], attributes: {} };
}
