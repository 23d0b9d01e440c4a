import { create, toBinary } from '@bufbuild/protobuf';
import type { Attribute } from '../../../../src/onnx/graph';
import { GraphProtoSchema } from '../../../../src/onnx/proto/onnx_pb';
import type { Tensor } from '../../../../src/onnx/runtime';
import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { layers } from './layers';
import { apart, f32, float, i64, int, node, string } from './tensors';

/** Ops that are written as simpler ones before they are differentiated. */

const strings = (...value: readonly string[]) => ({ kind: 'strings', value }) as const;
const lengths = tensorOf('int32', [2], [3, 1]);

interface RecurrentShape {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly directions: number;
}

const small: RecurrentShape = { steps: 3, batch: 2, inputs: 2, hidden: 3, directions: 1 };

function recurrentInputs(gates: number, { steps, batch, inputs, hidden, directions }: RecurrentShape) {
  return {
    x: f32(steps, batch, inputs),
    w: f32(directions, gates * hidden, inputs),
    r: f32(directions, gates * hidden, hidden),
    b: f32(directions, 2 * gates * hidden),
  };
}

function states(count: number, { batch, hidden, directions }: RecurrentShape): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(['h', 'c'].slice(0, count).map((name) => [name, f32(directions, batch, hidden)]));
}

const recurrent = (
  [
    ['LSTM', 4, 2],
    ['GRU', 3, 1],
    ['RNN', 1, 1],
  ] as const
).flatMap(([op, gates, count]): GradientCheck[] => {
  const hidden = int(small.hidden);
  const both = { ...small, directions: 2 };
  const names = ['h', 'c'].slice(0, count);
  return [
    {
      op,
      what: 'forwards',
      inputs: recurrentInputs(gates, small),
      attributes: { hidden_size: hidden },
      outputs: 1 + count,
    },
    {
      op,
      what: 'both ways, with first states',
      inputs: { ...recurrentInputs(gates, both), ...states(count, both) },
      order: ['x', 'w', 'r', 'b', '', ...names],
      attributes: { hidden_size: hidden, direction: string('bidirectional') },
      outputs: 1 + count,
    },
    {
      op,
      what: 'backwards, sequences of several lengths',
      inputs: recurrentInputs(gates, small),
      constants: { lengths },
      attributes: { hidden_size: hidden, direction: string('reverse') },
      outputs: 1 + count,
    },
    {
      op,
      what: 'without biases, only the last state',
      inputs: recurrentInputs(gates, small),
      order: ['x', 'w', 'r'],
      attributes: { hidden_size: hidden },
      outputs: 2,
      unused: [0],
    },
  ];
});

const heads = { q_num_heads: int(2), kv_num_heads: int(2) };
const mask = tensorOf('bool', [3, 4], [1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 1]);

const attention: readonly GradientCheck[] = [
  {
    op: 'Attention',
    what: 'three axes',
    inputs: { q: f32(2, 3, 4), k: f32(2, 4, 4), v: f32(2, 4, 4) },
    attributes: heads,
    opset: 23,
  },
  {
    op: 'Attention',
    what: 'four axes, causal, its own scale',
    inputs: { q: f32(2, 2, 3, 4), k: f32(2, 2, 3, 4), v: f32(2, 2, 3, 2) },
    attributes: { is_causal: int(1), scale: float(0.7) },
    opset: 23,
  },
  {
    op: 'Attention',
    what: 'queries sharing keys, a mask of bools',
    inputs: { q: f32(2, 4, 3, 2), k: f32(2, 2, 4, 2), v: f32(2, 2, 4, 3) },
    constants: { mask },
    opset: 23,
  },
  {
    op: 'Attention',
    what: 'a mask that is added, scores capped',
    inputs: { q: f32(1, 2, 3, 2), k: f32(1, 2, 4, 2), v: f32(1, 2, 4, 2), mask: f32(3, 4) },
    attributes: { softcap: float(1.5) },
    opset: 23,
  },
];

const normalization: readonly GradientCheck[] = [
  {
    op: 'GroupNormalization',
    what: 'a scale per channel',
    inputs: { x: f32(2, 4, 3, 2), scale: f32(4), bias: f32(4) },
    attributes: { num_groups: int(2) },
    opset: 21,
  },
  {
    op: 'GroupNormalization',
    what: 'a scale per group',
    inputs: { x: f32(2, 4, 3), scale: f32(2), bias: f32(2) },
    attributes: { num_groups: int(2), epsilon: float(0.1) },
    opset: 18,
  },
  { op: 'InstanceNormalization', what: 'an image', inputs: { x: f32(2, 3, 2, 3), scale: f32(3), bias: f32(3) } },
  {
    op: 'LayerNormalization',
    what: 'mean and deviation read too',
    inputs: { x: f32(2, 3, 5), scale: f32(5), bias: f32(5) },
    outputs: 3,
  },
  { op: 'LpNormalization', what: 'squares', inputs: { x: f32(2, 3) } },
  {
    op: 'LpNormalization',
    what: 'absolute values',
    inputs: { x: apart([3, 2], 'float32') },
    attributes: { p: int(1), axis: int(0) },
  },
  { op: 'MeanVarianceNormalization', what: 'an image', inputs: { x: f32(2, 2, 3, 2) } },
  { op: 'RMSNormalization', what: 'the last axis', inputs: { x: f32(2, 3, 4), scale: f32(4) }, opset: 23 },
  {
    op: 'RMSNormalization',
    what: 'two axes',
    inputs: { x: f32(2, 3, 4), scale: f32(3, 4) },
    attributes: { axis: int(1), epsilon: float(0.1) },
    opset: 23,
  },
  { op: 'SimplifiedLayerNormalization', what: 'the last axis', inputs: { x: f32(2, 3, 4), scale: f32(4) } },
];

const fused: readonly GradientCheck[] = [
  { op: 'com.microsoft.BiasGelu', what: 'a row', inputs: { x: f32(2, 3), b: f32(3) } },
  { op: 'com.microsoft.FastGelu', what: 'with a row', inputs: { x: f32(2, 3), b: f32(3) } },
  { op: 'com.microsoft.FastGelu', what: 'alone', inputs: { x: f32(2, 3) } },
  { op: 'com.microsoft.Gelu', what: 'a matrix', inputs: { x: f32(2, 3) } },
  { op: 'com.microsoft.QuickGelu', what: 'a matrix', inputs: { x: f32(2, 3) }, attributes: { alpha: float(1.2) } },
  {
    op: 'com.microsoft.FusedMatMul',
    what: 'both transposed',
    inputs: { a: f32(2, 3, 4), b: f32(2, 5, 3) },
    attributes: { transA: int(1), transB: int(1), alpha: float(0.3) },
  },
  {
    op: 'com.microsoft.FusedGemm',
    what: 'and Tanh',
    inputs: { a: f32(2, 3), b: f32(4, 3), c: f32(4) },
    attributes: { transB: int(1), activation: string('Tanh') },
  },
  {
    op: 'com.microsoft.FusedConv',
    what: 'and Sigmoid',
    inputs: { x: f32(1, 2, 4, 4), w: f32(2, 2, 3, 3), b: f32(2) },
    attributes: { activation: string('Sigmoid'), pads: { kind: 'ints', value: [1, 1, 1, 1] } },
  },
  {
    op: 'com.microsoft.SkipLayerNormalization',
    what: 'with a bias, the sum read too',
    inputs: { x: f32(2, 3, 4), s: f32(2, 3, 4), g: f32(4), be: f32(4), a: f32(4) },
    outputs: 4,
    unused: [1, 2],
  },
  {
    op: 'com.microsoft.SkipLayerNormalization',
    what: 'plain',
    inputs: { x: f32(2, 3, 4), s: f32(2, 3, 4), g: f32(4) },
    attributes: { epsilon: float(0.01) },
  },
  {
    op: 'com.microsoft.SkipSimplifiedLayerNormalization',
    what: 'plain',
    inputs: { x: f32(2, 3, 4), s: f32(2, 3, 4), g: f32(4) },
    attributes: { epsilon: float(0.01) },
  },
];

const eights = tensorOf('int8', [3, 4], [1, -2, 3, 50, -60, 7, 8, 9, 100, -110, 12, 0]);

const quantization: readonly GradientCheck[] = [
  { op: 'DequantizeLinear', what: 'one scale', inputs: { x: eights, scale: tensorOf('float32', [], [0.02]) } },
  {
    op: 'DequantizeLinear',
    what: 'a scale per row, with zero points',
    inputs: { x: eights, scale: tensorOf('float32', [3], [0.02, 0.01, 0.03]), zero: tensorOf('int8', [3], [3, 0, -5]) },
    attributes: { axis: int(0) },
  },
  {
    op: 'DequantizeLinear',
    what: 'in blocks',
    inputs: { x: eights, scale: tensorOf('float32', [3, 2], [0.02, 0.01, 0.03, 0.02, 0.05, 0.01]) },
    attributes: { axis: int(1), block_size: int(2) },
    opset: 21,
  },
];

const split = (attributes = {}, lengthsOf: readonly string[] = []) =>
  ({
    name: '/split',
    op: 'SplitToSequence',
    domain: '',
    inputs: ['x', ...lengthsOf],
    outputs: ['s'],
    attributes,
  }) as const;
const at = (index: string, output: string) =>
  ({
    name: `/at/${output}`,
    op: 'SequenceAt',
    domain: '',
    inputs: ['s', index],
    outputs: [output],
    attributes: {},
  }) as const;
const mul = (a: string, b: string) =>
  ({ name: '/mul', op: 'Mul', domain: '', inputs: [a, b], outputs: ['y0'], attributes: {} }) as const;
const positions = { first: tensorOf('int64', [], [0]), last: tensorOf('int64', [], [-1]) };

const sequence: readonly GradientCheck[] = [
  {
    op: 'SplitToSequence',
    what: 'parts of one length',
    inputs: { x: f32(3, 4) },
    constants: { ...positions, size: tensorOf('int64', [], [2]) },
    nodes: [split({ axis: int(1) }, ['size']), at('first', 'a'), at('last', 'b'), mul('a', 'b')],
  },
  {
    op: 'SequenceAt',
    what: 'parts of listed lengths',
    inputs: { x: f32(5, 2) },
    constants: { ...positions, sizes: i64(1, 3, 1) },
    nodes: [split({}, ['sizes']), at('first', 'a'), at('last', 'b'), mul('a', 'b')],
  },
  {
    op: 'ConcatFromSequence',
    what: 'rows turned to columns',
    inputs: { x: f32(3, 2) },
    nodes: [
      split({ keepdims: int(0) }),
      {
        name: '/join',
        op: 'ConcatFromSequence',
        domain: '',
        inputs: ['s'],
        outputs: ['j'],
        attributes: { axis: int(1), new_axis: int(1) },
      },
      { name: '/mul', op: 'Mul', domain: '', inputs: ['j', 'j'], outputs: ['y0'], attributes: {} },
    ],
  },
  {
    op: 'SequenceConstruct',
    what: 'and joined',
    inputs: { x: f32(2, 2), z: f32(3, 2) },
    nodes: [
      { name: '/make', op: 'SequenceConstruct', domain: '', inputs: ['x', 'z'], outputs: ['s'], attributes: {} },
      {
        name: '/join',
        op: 'ConcatFromSequence',
        domain: '',
        inputs: ['s'],
        outputs: ['j'],
        attributes: { axis: int(0) },
      },
      { name: '/mul', op: 'Mul', domain: '', inputs: ['j', 'j'], outputs: ['y0'], attributes: {} },
    ],
  },
];

const axisOne = { dims: [1n], dataType: 7, int64Data: [1n] };

/** A branch of one operation and a constant for it, as the older exporter writes. */
function body(op: string, inputs: readonly string[]): Attribute {
  const constant = { opType: 'Constant', output: ['axis'], attribute: [{ name: 'value', type: 4, t: axisOne }] };
  const only = { opType: op, input: [...inputs], output: [`by_${op}`] };
  const graph = { name: 'branch', node: [constant, only], output: [{ name: `by_${op}` }] };
  return { kind: 'graph', value: toBinary(GraphProtoSchema, create(GraphProtoSchema, graph)) };
}

function decided(what: string, taken: Attribute, other: Attribute, length: number): GradientCheck {
  return {
    op: 'If',
    what,
    inputs: { x: f32(2, length, 3) },
    constants: { first: i64(1), second: i64(2) },
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('Slice', ['shape', 'first', 'second'], ['length']),
      node('Equal', ['length', 'first'], ['one']),
      node('Squeeze', ['one'], ['is_one']),
      node('If', ['is_one'], ['taken'], { then_branch: taken, else_branch: other }),
      node('Mul', ['taken', 'taken'], ['y0']),
    ],
  };
}

const branches: readonly GradientCheck[] = [
  decided('an axis of length one is taken away', body('Squeeze', ['x', 'axis']), body('Identity', ['x']), 1),
  decided('the other branch', body('Neg', ['x']), body('Exp', ['x']), 4),
  decided('nothing is done', body('Exp', ['x']), body('Identity', ['x']), 4),
];

export const lowered: readonly GradientCheck[] = [
  ...recurrent,
  {
    op: 'RNN',
    what: 'Relu',
    // States far from its kink.
    inputs: {
      ...recurrentInputs(1, small),
      r: tensorOf('float32', [1, 3, 3], [0.1, -0.05, 0.02, 0.03, 0.08, -0.04, -0.06, 0.05, 0.07]),
      b: tensorOf('float32', [1, 6], [2, -2, 2, 2, -2, 2]),
    },
    attributes: { hidden_size: int(small.hidden), activations: strings('Relu') },
  },
  {
    op: 'GRU',
    what: 'PyTorch, reset after the product',
    inputs: recurrentInputs(3, small),
    attributes: { hidden_size: int(small.hidden), linear_before_reset: int(1) },
    outputs: 2,
  },
  ...attention,
  ...normalization,
  ...fused,
  ...quantization,
  ...sequence,
  ...branches,
  ...layers,
];
