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

/**
 * Finds the sites of a graph among its trained weights: Gemm, MatMul (with the Add of its bias), Conv. A weight used twice
 * is left out, since its gradient is no longer one product.
 */
export function findSites(model: Model, types: Types, trained: ReadonlySet<string>): Site[] {
  const { graph } = model;
  const origin = weightOrigins(graph, trained);
  const sites: Site[] = [];
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    if (node.op === 'Gemm') sites.push(...gemmSite(node, types, origin));
    else if (node.op === 'MatMul') sites.push(...matMulSite(node, graph, types, origin));
    else if (node.op === 'Conv') sites.push(...convolutionSites(node, types, origin));
  }
  const uses = new Map<string, number>();
  for (const site of sites) {
    const group = site.map.kind === 'convolution' ? site.map.group : 0;
    const key = `${site.weight}\n${group}`;
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  return sites.filter(
    (site) => uses.get(`${site.weight}\n${site.map.kind === 'convolution' ? site.map.group : 0}`) === 1,
  );
}

/** Values that are a trained weight or its transpose (exporters write a 3-D Linear as MatMul with Transpose(weight)). */
function weightOrigins(graph: Graph, trained: ReadonlySet<string>): ReadonlyMap<string, string> {
  const origin = new Map<string, string>();
  for (const name of trained) origin.set(name, name);
  for (const node of graph.nodes) {
    const source = node.inputs[0];
    if ((node.op === 'Transpose' || node.op === 'Identity') && source !== undefined && origin.has(source)) {
      origin.set(node.outputs[0]!, origin.get(source)!);
    }
  }
  return origin;
}

function gemmSite(node: Node, types: Types, origin: ReadonlyMap<string, string>): Site[] {
  const [activation, weightValue, biasValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = origin.get(weightValue!);
  const scaled = floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1;
  if (weight === undefined || intAttribute(node, 'transA', 0) === 1 || scaled) return [];
  const outputs = types.get(output)!.dims[1]!;
  const bias = biasValue ? origin.get(biasValue) : undefined;
  const width = types.get(activation!)!.dims[1]!;
  return [linearSite(weight, bias, activation!, output, width, outputs, 1)];
}

function matMulSite(node: Node, graph: Graph, types: Types, origin: ReadonlyMap<string, string>): Site[] {
  const [activation, weightValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = origin.get(weightValue!);
  const weightDims = types.get(weightValue!)?.dims;
  const dims = types.get(activation!)?.dims;
  if (weight === undefined || weightDims?.length !== 2 || dims === undefined || dims.length < 2) return [];
  const positions = dims.slice(1, -1).reduce((product, size) => product * size, 1);
  const bias = addedBias(output, graph, types, origin, weightDims[1]!);
  return [
    linearSite(weight, bias, activation!, output, weightDims[0]!, weightDims[1]!, dims.length === 2 ? 1 : positions),
  ];
}

/** The trained vector that an Add puts on a product, if the product goes nowhere else. */
function addedBias(
  product: string,
  graph: Graph,
  types: Types,
  origin: ReadonlyMap<string, string>,
  outputs: number,
): string | undefined {
  const users = graph.nodes.filter((node) => node.inputs.includes(product));
  const [add] = users;
  if (users.length !== 1 || add?.op !== 'Add') return undefined;
  const other = add.inputs[0] === product ? add.inputs[1]! : add.inputs[0]!;
  const dims = types.get(other)?.dims;
  return dims?.length === 1 && dims[0] === outputs ? origin.get(other) : undefined;
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

function convolutionSites(node: Node, types: Types, origin: ReadonlyMap<string, string>): Site[] {
  const [activation, weightValue, biasValue] = node.inputs;
  const output = node.outputs[0]!;
  const weight = origin.get(weightValue!);
  const weightDims = types.get(weightValue!)?.dims;
  const inputDims = types.get(activation!)?.dims;
  const outputDims = types.get(output)?.dims;
  if (weight === undefined || !weightDims || !inputDims || !outputDims) return [];
  const kernel = weightDims.slice(2);
  const rank = kernel.length;
  const groups = intAttribute(node, 'group', 1);
  const bias = biasValue ? origin.get(biasValue) : undefined;
  const strides = intsAttribute(node, 'strides') ?? new Array<number>(rank).fill(1);
  const dilations = intsAttribute(node, 'dilations') ?? new Array<number>(rank).fill(1);
  const pads = resolvePads(node, inputDims.slice(2), outputDims.slice(2), kernel, strides, dilations);
  const width = weightDims[1]! * kernel.reduce((product, size) => product * size, 1);
  return Array.from({ length: groups }, (_, group) => ({
    weight,
    ...(bias === undefined ? {} : { bias }),
    activation: activation!,
    output,
    map: { kind: 'convolution' as const, kernel, strides, dilations, pads, group, groups },
    inputs: bias === undefined ? width : width + 1,
    outputs: weightDims[0]! / groups,
    positions: outputDims.slice(2).reduce((product, size) => product * size, 1),
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
