import { floatOf, intOf, intsOf, stringOf } from '../onnx/attributes';
import { product } from '../onnx/dims';
import type { Graph, Node } from '../onnx/graph';
import type { ProbedType } from '../onnx/shape';
import type { ConvolutionMap, LinearMap } from './site';

/** A node that multiplies an activation by a matrix or kernel, which may be a trained weight. */
export interface Product {
  readonly node: Node;
  readonly weight: string;
  readonly activation: string;
  readonly output: string;
  /** The value that is added to every row, '' where there is none. */
  readonly bias: string;
  /** The output of the node that adds the bias. */
  readonly biased: string;
  /** One for each group of a convolution. */
  readonly maps: readonly (LinearMap | ConvolutionMap)[];
  /** Of one group, without bias. */
  readonly width: number;
  readonly outputs: number;
  /** Rows of the activation as it lies in memory: all but a linear map's last axis, a convolution's images. */
  readonly rows: number;
  /** Positions that a convolution makes of one row. */
  readonly spread: number;
}

type Types = ReadonlyMap<string, ProbedType>;

/** All products of a graph that have the form of a layer: Gemm, MatMul (with the Add of its bias) and Conv. */
export function products(graph: Graph, types: Types): readonly Product[] {
  return graph.nodes.flatMap((node) => {
    if (node.domain !== '') return [];
    if (node.op === 'Gemm') return gemm(node, types);
    if (node.op === 'MatMul') return matMul(node, graph, types);
    return node.op === 'Conv' ? convolution(node, types) : [];
  });
}

function gemm(node: Node, types: Types): Product[] {
  const [activation, weight, bias = ''] = node.inputs as [string, string, string?];
  const output = node.outputs[0]!;
  const scaled = floatOf(node, 'alpha', 1) !== 1 || (bias !== '' && floatOf(node, 'beta', 1) !== 1);
  if (intOf(node, 'transA', 0) === 1 || scaled) return [];
  const [rows, width] = types.get(activation)!.dims as [number, number];
  const outputs = types.get(output)!.dims[1]!;
  const maps = [{ kind: 'linear' }] as const;
  return [{ node, weight, activation, output, bias, biased: output, maps, width, outputs, rows, spread: 1 }];
}

function matMul(node: Node, graph: Graph, types: Types): Product[] {
  const [activation, weight] = node.inputs as [string, string];
  const output = node.outputs[0]!;
  const dims = types.get(activation)!.dims;
  const matrix = types.get(weight)!.dims;
  if (matrix.length !== 2 || dims.length < 2) return [];
  const [width, outputs] = matrix as [number, number];
  const maps = [{ kind: 'linear' }] as const;
  const rows = product(dims.slice(0, -1));
  return [{ node, weight, activation, output, ...addedTo(output, graph), maps, width, outputs, rows, spread: 1 }];
}

/** What an Add puts on a product, if the product goes nowhere else. */
function addedTo(value: string, graph: Graph): Pick<Product, 'bias' | 'biased'> {
  const users = graph.nodes.filter((node) => node.inputs.includes(value));
  const [add] = users;
  if (users.length !== 1 || add?.op !== 'Add') return { bias: '', biased: value };
  return { bias: (add.inputs[0] === value ? add.inputs[1] : add.inputs[0])!, biased: add.outputs[0]! };
}

function convolution(node: Node, types: Types): Product[] {
  const [activation, weight, bias = ''] = node.inputs as [string, string, string?];
  const output = node.outputs[0]!;
  const [channels, width, ...kernel] = types.get(weight)!.dims as [number, number, ...number[]];
  const [rows, , ...input] = types.get(activation)!.dims as [number, number, ...number[]];
  const spatial = types.get(output)!.dims.slice(2);
  const groups = intOf(node, 'group', 1);
  const strides = intsOf(node, 'strides') ?? kernel.map(() => 1);
  const dilations = intsOf(node, 'dilations') ?? kernel.map(() => 1);
  const pads = resolvePads(node, input, spatial, kernel, strides, dilations);
  const maps = Array.from({ length: groups }, (_, group): ConvolutionMap => {
    return { kind: 'convolution', kernel, strides, dilations, pads, group, groups };
  });
  const outputs = channels / groups;
  const spread = product(spatial);
  const taps = width * product(kernel);
  return [{ node, weight, activation, output, bias, biased: output, maps, width: taps, outputs, rows, spread }];
}

/** Explicit pads, or those that `auto_pad` stands for. */
function resolvePads(
  node: Node,
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): readonly number[] {
  const auto = stringOf(node, 'auto_pad', 'NOTSET');
  const none = new Array<number>(2 * kernel.length).fill(0);
  if (auto === 'VALID') return none;
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') return intsOf(node, 'pads') ?? none;
  const totals = kernel.map((size, axis) => {
    const reach = (output[axis]! - 1) * strides[axis]! + (size - 1) * dilations[axis]! + 1;
    return Math.max(0, reach - input[axis]!);
  });
  const begins = totals.map((total) => (auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)));
  return [...begins, ...totals.map((total, axis) => total - begins[axis]!)];
}
