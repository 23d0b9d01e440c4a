import type { Attribute, Dimension, Initializer, Model, Node, ValueInfo } from '../../src/onnx/graph';
import { bytesOf, tensorOf } from '../../src/onnx/tensor';
import { randomFloats, randomNumbers } from './random';

/** A network made for one test: what it takes, its trained weights by their shapes, and its nodes. */
export interface TinyModel {
  /** Dimensions of one example. */
  readonly example: readonly number[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** From the input `x` to the output `logits`. */
  readonly nodes: readonly Node[];
  readonly classes: number;
  readonly opset?: number;
  /** A number where the batch is not free. */
  readonly batch?: number;
  /** Other inputs than `x`. */
  readonly inputs?: readonly ValueInfo[];
  /** Constants that no checkpoint holds. */
  readonly constants?: Readonly<Record<string, readonly number[]>>;
}

/** Attributes as plain values: whole numbers, lists of them and texts. */
export function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, number | string | readonly number[]>> = {},
): Node {
  const entries = Object.entries(attributes).map(([name, value]): [string, Attribute] => {
    if (typeof value === 'number') return [name, { kind: 'int', value }];
    return [name, typeof value === 'string' ? { kind: 'string', value } : { kind: 'ints', value }];
  });
  return { name: `node_${output}`, op, domain: '', inputs, outputs: [output], attributes: Object.fromEntries(entries) };
}

/** Two Linear layers with a ReLU between them. */
export const perceptron: TinyModel = {
  example: [4],
  weights: { 'fc1.weight': [5, 4], 'fc1.bias': [5], 'fc2.weight': [3, 5], 'fc2.bias': [3] },
  nodes: [
    node('Gemm', ['x', 'fc1.weight', 'fc1.bias'], 'hidden', { transB: 1 }),
    node('Relu', ['hidden'], 'active'),
    node('Gemm', ['active', 'fc2.weight', 'fc2.bias'], 'logits', { transB: 1 }),
  ],
  classes: 3,
};

/** The model as a graph, its weights drawn from a seed. */
export function modelOf(tiny: TinyModel, seed = 1): Model {
  const batch: Dimension = tiny.batch ?? 'batch';
  const random = randomNumbers(seed);
  const weights = Object.entries(tiny.weights).map(([name, dims]) => {
    const bytes = bytesOf({ dtype: 'float32', dims, data: randomFloats(count(dims), random) });
    return [name, { name, dtype: 'float32', dims, bytes }] as const;
  });
  const constants = Object.entries(tiny.constants ?? {}).map(([name, values]) => {
    const bytes = bytesOf(tensorOf('int64', [values.length], values));
    return [name, { name, dtype: 'int64', dims: [values.length], bytes }] as const;
  });
  return {
    file: '',
    irVersion: 8,
    producer: 'test',
    opsets: new Map([['', tiny.opset ?? 17]]),
    graph: {
      name: 'tiny',
      inputs: [{ name: 'x', dtype: 'float32', dims: [batch, ...tiny.example] }, ...(tiny.inputs ?? [])],
      outputs: [{ name: 'logits', dtype: 'float32', dims: [batch, tiny.classes] }],
      initializers: new Map<string, Initializer>([...weights, ...constants]),
      nodes: tiny.nodes,
    },
  };
}

export function count(dims: readonly number[]): number {
  return dims.reduce((product, n) => product * n, 1);
}
