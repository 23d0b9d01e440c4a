import { intOf, intsOf } from '../onnx/attributes';
import { sameDims } from '../onnx/dims';
import type { Graph, Node } from '../onnx/graph';
import type { ProbedType } from '../onnx/shape';
import { initializerTensor, numbersOf } from '../onnx/tensor';

/** What an initializer holds: checkpoint tensors in some arrangement. Equal keys of two initializers are tied weights. */
export interface TrainedWeight {
  readonly key: string;
  /** Whether rows and columns are swapped against other initializers of the same key. */
  readonly turned: boolean;
  readonly tensors: readonly string[];
  /** Whether it is cut out of its tensors, so that others may hold the rest: packed projections. */
  readonly part?: boolean;
  /** Whether it holds elements of its tensors more than once, so that its gradient is not theirs rearranged. */
  readonly repeats?: boolean;
}

/** A value that is a trained weight, or a part of one, moved about but not computed with. */
export interface Origin extends TrainedWeight {
  readonly initializers: readonly string[];
  /** How many vectors were added up: a recurrent layer has two biases, which training moves alike. */
  readonly terms: number;
}

type Types = ReadonlyMap<string, ProbedType>;

/** Ops that keep every element in its order. */
const reshapes = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

/**
 * Follows trained weights through the ops that exporters and lowered layers put between a weight and its product:
 * transposes, reshapes, slices, splits, joins, and the sum of two biases.
 */
export function weightOrigins(
  graph: Graph,
  types: Types,
  trained: ReadonlyMap<string, TrainedWeight>,
): ReadonlyMap<string, Origin> {
  const origins = new Map<string, Origin>();
  for (const [name, weight] of trained) origins.set(name, { ...weight, initializers: [name], terms: 1 });
  for (const node of graph.nodes) {
    node.outputs.forEach((output, index) => {
      const origin = output === '' ? undefined : moved(node, index, graph, types, origins);
      if (origin) origins.set(output, origin);
    });
  }
  return origins;
}

/** Whether a node only moves weights about, so that it is no use of them in itself. */
export function isMove(node: Node, origins: ReadonlyMap<string, Origin>): boolean {
  return node.outputs.some((output) => origins.has(output));
}

function moved(
  node: Node,
  index: number,
  graph: Graph,
  types: Types,
  origins: ReadonlyMap<string, Origin>,
): Origin | undefined {
  if (node.domain !== '') return undefined;
  const [first, second] = node.inputs;
  const origin = first === undefined ? undefined : origins.get(first);
  if (!origin) return undefined;
  const from = types.get(first!)!.dims;
  const to = types.get(node.outputs[index]!)?.dims;
  if (!to) return undefined;
  if (reshapes.has(node.op)) return sameDims(proper(from), proper(to)) ? origin : arranged(origin, `as ${to.join()}`);
  const isCast = node.op === 'Cast' || node.op === 'CastLike';
  if (isCast && types.get(first!)!.dtype === types.get(node.outputs[index]!)!.dtype) return origin;
  if (node.op === 'Transpose') return transposed(origin, from, intsOf(node, 'perm'));
  if (node.op === 'Split') return { ...arranged(origin, `part ${intOf(node, 'axis', 0)} ${index}`), part: true };
  if (node.op === 'Slice') {
    const bounds = node.inputs.slice(1).map((input) => integers(input, graph, types)?.join());
    if (bounds.includes(undefined)) return undefined;
    return sameDims(from, to) ? origin : { ...arranged(origin, `[${bounds.join(';')}]`), part: true };
  }
  const other = second === undefined ? undefined : origins.get(second);
  if (node.op === 'Add' && other && from.length === 1 && sameDims(from, types.get(second!)!.dims)) {
    return { ...joined([origin, other], ' + '), terms: origin.terms + other.terms };
  }
  if (node.op !== 'Concat') return undefined;
  const parts = node.inputs.map((input) => origins.get(input));
  const all = parts.filter((part) => part !== undefined);
  return all.length === parts.length ? joined(all, `; ${intOf(node, 'axis', 0)} `) : undefined;
}

/** A list that the graph holds, or that only shapes decide. */
function integers(name: string, graph: Graph, types: Types): readonly number[] | undefined {
  const initializer = graph.initializers.get(name);
  const held = initializer && initializerTensor(initializer);
  return held ? numbersOf(held) : types.get(name)?.constant;
}

/** Dimensions that are not 1: what decides whether a reshape moves more than names of axes. */
function proper(dims: readonly number[]): readonly number[] {
  return dims.filter((dim) => dim !== 1);
}

function transposed(origin: Origin, dims: readonly number[], perm: readonly number[] | undefined): Origin {
  const axes = (perm ?? dims.map((_, axis) => dims.length - 1 - axis)).filter((axis) => dims[axis] !== 1);
  if (axes.every((axis, index) => index === 0 || axis > axes[index - 1]!)) return origin;
  if (axes.length === 2) return { ...origin, turned: !origin.turned };
  return arranged(origin, `by ${axes.join()}`);
}

function arranged(origin: Origin, how: string): Origin {
  return { ...origin, key: `${spelled(origin)} ${how}`, turned: false };
}

function joined(parts: readonly Origin[], how: string): Origin {
  const distinct = (names: readonly string[]) => [...new Set(names)];
  return {
    key: `(${parts.map(spelled).join(how)})`,
    turned: false,
    tensors: distinct(parts.flatMap(({ tensors }) => tensors)),
    initializers: distinct(parts.flatMap(({ initializers }) => initializers)),
    part: parts.some(({ part }) => part),
    repeats: parts.some(({ repeats }) => repeats),
    terms: 1,
  };
}

function spelled({ key, turned }: Origin): string {
  return turned ? `${key}ᵀ` : key;
}
