import { product } from '../onnx/dims';
import type { Graph, Model, Node, TensorType } from '../onnx/graph';

/**
 * A place where a weight meets an activation: the unit of EK-FAC. Per example its gradient is `G = Σ_t d_t a_tᵀ`
 * [outputs, inputs], with the bias folded in as a trailing 1 of the activation.
 */
export interface Site {
  /** The weight's initializer: its identity. */
  readonly weight: string;
  readonly bias?: string;
  /** The graph value that the weight multiplies. */
  readonly activation: string;
  /** The graph value whose gradient is the pre-activation gradient. */
  readonly output: string;
  readonly map: LinearMap | ConvolutionMap;
  /** Width of the activation, the trailing 1 included where there is a bias. */
  readonly inputs: number;
  readonly outputs: number;
  /** Positions t per example; 1 makes every per-example gradient rank one. */
  readonly positions: number;
}

export interface LinearMap {
  readonly kind: 'linear';
}

/** `group` of `groups`: its channels are one site, since groups share no weight. */
export interface ConvolutionMap {
  readonly kind: 'convolution';
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of every axis, then end of every axis, as in ONNX. */
  readonly pads: readonly number[];
  readonly group: number;
  readonly groups: number;
}

type Types = ReadonlyMap<string, TensorType>;

/** What is known of the graph that sites are looked for in. */
interface Search {
  readonly graph: Graph;
  readonly types: Types;
  readonly batch: number;
  /** Values that are a trained weight or its transpose (exporters write a 3-D Linear as MatMul with Transpose(weight)). */
  readonly origin: ReadonlyMap<string, string>;
}

/**
 * Finds the sites of a graph among its trained weights: Gemm, MatMul (with the Add of its bias), Conv. What is used twice,
 * here or in any other op, is left out, since its gradient is no longer one product; so is what mixes examples.
 */
export function findSites(model: Model, types: Types, trained: ReadonlySet<string>, batch: number): Site[] {
  const { graph } = model;
  const origin = soleUses(graph, weightOrigins(graph, trained));
  const search = { graph, types, batch, origin };
  return graph.nodes.flatMap((node) => {
    if (node.domain !== '') return [];
    if (node.op === 'Gemm') return gemmSite(node, search);
    if (node.op === 'MatMul') return matMulSite(node, search);
    return node.op === 'Conv' ? convolutionSites(node, search) : [];
  });
}

function weightOrigins(graph: Graph, trained: ReadonlySet<string>): Map<string, string> {
  const origin = new Map<string, string>();
  for (const name of trained) origin.set(name, name);
  for (const node of graph.nodes) {
    const source = node.inputs[0];
    if (isAlias(node) && source !== undefined && origin.has(source)) {
      origin.set(node.outputs[0]!, origin.get(source)!);
    }
  }
  return origin;
}

function isAlias({ op, domain }: Node): boolean {
  return domain === '' && (op === 'Transpose' || op === 'Identity');
}

/** The origins without those weights that more than one place of the graph reads. */
function soleUses(graph: Graph, origin: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const uses = new Map<string, number>();
  const use = (value: string) => {
    const weight = origin.get(value);
    if (weight !== undefined) uses.set(weight, (uses.get(weight) ?? 0) + 1);
  };
  for (const node of graph.nodes) if (!isAlias(node)) node.inputs.forEach(use);
  for (const { name } of graph.outputs) use(name);
  return new Map([...origin].filter(([, weight]) => uses.get(weight) === 1));
}

function gemmSite(node: Node, search: Search): Site[] {
  const [activation, weightValue, biasValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = search.origin.get(weightValue!);
  const scaled = floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1;
  if (weight === undefined || intAttribute(node, 'transA', 0) === 1 || scaled) return [];
  const positions = positionsOf(activation!, search);
  if (positions === undefined) return [];
  const outputs = search.types.get(output)!.dims[1]!;
  const bias = vectorOf(biasValue, outputs, search);
  const width = search.types.get(activation!)!.dims[1]!;
  return [linearSite(weight, bias, activation!, output, width, outputs, positions)];
}

function matMulSite(node: Node, search: Search): Site[] {
  const [activation, weightValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = search.origin.get(weightValue!);
  const weightDims = search.types.get(weightValue!)?.dims;
  const positions = positionsOf(activation!, search);
  if (weight === undefined || weightDims?.length !== 2 || positions === undefined) return [];
  const [width, outputs] = weightDims as [number, number];
  const bias = addedBias(output, outputs, search);
  return [linearSite(weight, bias, activation!, output, width, outputs, positions)];
}

/**
 * How many rows of a linear map's input are one example's: its inner dimensions, or what a Reshape folded into the first
 * one. Undefined where rows are not the examples' in order.
 */
function positionsOf(activation: string, { graph, types, batch }: Search): number | undefined {
  const dims = types.get(activation)?.dims;
  if (dims === undefined || dims.length < 2) return undefined;
  if (dims[0] === batch) return product(dims.slice(1, -1));
  const maker = graph.nodes.find(({ outputs }) => outputs.includes(activation));
  const before = maker?.op === 'Reshape' ? types.get(maker.inputs[0]!)?.dims : undefined;
  const folded = dims.length === 2 && before?.[0] === batch && before.at(-1) === dims[1];
  return folded ? product(before.slice(1, -1)) : undefined;
}

/** The trained vector that an Add puts on a product, if the product goes nowhere else. */
function addedBias(value: string, outputs: number, search: Search): string | undefined {
  const users = search.graph.nodes.filter((node) => node.inputs.includes(value));
  const [add] = users;
  if (users.length !== 1 || add?.op !== 'Add') return undefined;
  return vectorOf(add.inputs[0] === value ? add.inputs[1] : add.inputs[0], outputs, search);
}

/** The trained vector that a value is, with one element for each output. */
function vectorOf(value: string | undefined, outputs: number, { types, origin }: Search): string | undefined {
  const dims = value ? types.get(value)?.dims : undefined;
  return dims?.length === 1 && dims[0] === outputs ? origin.get(value!) : undefined;
}

function linearSite(
  weight: string,
  bias: string | undefined,
  activation: string,
  output: string,
  width: number,
  outputs: number,
  positions: number,
): Site {
  const inputs = bias === undefined ? width : width + 1;
  return {
    weight,
    ...(bias === undefined ? {} : { bias }),
    activation,
    output,
    map: { kind: 'linear' },
    inputs,
    outputs,
    positions,
  };
}

function convolutionSites(node: Node, { types, origin, batch }: Search): Site[] {
  const [activation, weightValue, biasValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = origin.get(weightValue!);
  const weightDims = types.get(weightValue!)?.dims;
  const inputDims = types.get(activation!)?.dims;
  const outputDims = types.get(output)?.dims;
  if (weight === undefined || !weightDims || !inputDims || !outputDims || inputDims[0] !== batch) return [];
  const kernel = weightDims.slice(2);
  const rank = kernel.length;
  const groups = intAttribute(node, 'group', 1);
  const bias = biasValue ? origin.get(biasValue) : undefined;
  const strides = intsAttribute(node, 'strides') ?? new Array<number>(rank).fill(1);
  const dilations = intsAttribute(node, 'dilations') ?? new Array<number>(rank).fill(1);
  const pads = resolvePads(node, inputDims.slice(2), outputDims.slice(2), kernel, strides, dilations);
  const width = weightDims[1]! * product(kernel);
  return Array.from({ length: groups }, (_, group) => ({
    weight,
    ...(bias === undefined ? {} : { bias }),
    activation: activation!,
    output,
    map: { kind: 'convolution' as const, kernel, strides, dilations, pads, group, groups },
    inputs: bias === undefined ? width : width + 1,
    outputs: weightDims[0]! / groups,
    positions: product(outputDims.slice(2)),
  }));
}

/** Explicit pads, or those that `auto_pad` stands for. */
function resolvePads(
  node: Node,
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): number[] {
  const auto = node.attributes.auto_pad?.kind === 'string' ? node.attributes.auto_pad.value : 'NOTSET';
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') {
    const pads = auto === 'VALID' ? undefined : intsAttribute(node, 'pads');
    return [...(pads ?? new Array<number>(2 * kernel.length).fill(0))];
  }
  const begins: number[] = [];
  const ends: number[] = [];
  kernel.forEach((size, axis) => {
    const reach = (output[axis]! - 1) * strides[axis]! + (size - 1) * dilations[axis]! + 1;
    const total = Math.max(0, reach - input[axis]!);
    const begin = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
    begins.push(begin);
    ends.push(total - begin);
  });
  return [...begins, ...ends];
}

function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}
