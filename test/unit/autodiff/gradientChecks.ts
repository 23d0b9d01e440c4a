import { tensorOf } from '../../../src/onnx/tensor';
import { einsum } from './checks/einsum';
import { functions } from './checks/functions';
import { indexing } from './checks/indexing';
import { lowered } from './checks/lowered';
import { resampling } from './checks/resampling';
import { shapes } from './checks/shapes';
import { apart, f32, f64, float, i64, int, ints, node, string } from './checks/tensors';
import type { GradientCheck } from './gradientCheck';

const broadcasting = ['Add', 'Sub', 'Mul', 'Div'].flatMap((op): GradientCheck[] => [
  { op, what: 'equal shapes', inputs: { a: f64([2, 3]), b: f64([2, 3], 0.5, 2) } },
  { op, what: 'a row', inputs: { a: f64([2, 3]), b: f64([3], 0.5, 2) } },
  { op, what: 'a column and a row', inputs: { a: f64([4, 1]), b: f64([2, 1, 3], 0.5, 2) } },
  { op, what: 'a scalar on the left', inputs: { a: f64([]), b: f64([2, 3], 0.5, 2) } },
  { op, what: 'no elements', inputs: { a: f64([0, 3]), b: f64([3], 0.5, 2) } },
]);

const smooth = (['Neg', 'Exp', 'Sigmoid', 'Tanh', 'Identity', 'Erf'] as const).map(
  (op): GradientCheck => ({
    op,
    what: 'a matrix',
    inputs: { x: op === 'Sigmoid' || op === 'Erf' ? f32(2, 3) : f64([2, 3]) },
  }),
);

const positive = (['Log', 'Sqrt', 'Reciprocal'] as const).map(
  (op): GradientCheck => ({ op, what: 'positive numbers', inputs: { x: f64([2, 3], 0.5, 2) } }),
);

const kinked = (['Relu', 'Abs', 'Sign', 'Floor', 'Ceil', 'Round'] as const).map(
  (op): GradientCheck => ({ op, what: 'off its kink', inputs: { x: apart([2, 5]) } }),
);

const elementwise: readonly GradientCheck[] = [
  ...broadcasting,
  ...smooth,
  ...positive,
  ...kinked,
  { op: 'LeakyRelu', what: 'alpha 0.2', inputs: { x: apart([3, 4], 'float32') }, attributes: { alpha: float(0.2) } },
  { op: 'Gelu', what: 'by erf', inputs: { x: f32(3, 4) }, opset: 20 },
  { op: 'Gelu', what: 'by tanh', inputs: { x: f32(3, 4) }, attributes: { approximate: string('tanh') }, opset: 20 },
  { op: 'Elu', what: 'alpha 0.5', inputs: { x: apart([3, 4], 'float32') }, attributes: { alpha: float(0.5) } },
  { op: 'PRelu', what: 'a slope per channel', inputs: { x: apart([2, 3, 2], 'float32'), rates: f32(3, 1) } },
  { op: 'HardSigmoid', what: 'both ends', inputs: { x: apart([4, 5], 'float32') }, attributes: { alpha: float(0.8) } },
  { op: 'HardSwish', what: 'the middle', inputs: { x: apart([3, 4], 'float32') } },
  { op: 'HardSwish', what: 'both ends', inputs: { x: tensorOf('float32', [6], [-5, -3.2, -2, 2.5, 3.1, 4]) } },
  { op: 'Mish', what: 'small numbers', inputs: { x: f32(3, 4) }, opset: 18 },
  { op: 'Mish', what: 'large numbers', inputs: { x: tensorOf('float32', [4], [-20, -5, 25, 90]) }, opset: 18 },
  { op: 'Softplus', what: 'a matrix', inputs: { x: f32(3, 4) } },
  { op: 'Pow', what: 'a square', inputs: { x: f64([2, 3]) }, constants: { p: tensorOf('float64', [], [2]) } },
  { op: 'Pow', what: 'an integer exponent', inputs: { x: f64([2, 3]) }, constants: { p: tensorOf('int64', [], [3]) } },
  { op: 'Pow', what: 'a row of exponents', inputs: { x: f64([2, 3], 0.5, 2), p: f64([3], 0.5, 2) } },
  { op: 'Max', what: 'three, broadcast', inputs: { a: apart([2, 3]), b: f64([3], -0.04, 0.04), c: f64([1], -9, -8) } },
  { op: 'Min', what: 'two', inputs: { a: apart([2, 3]), b: f64([2, 3], -0.04, 0.04) } },
  { op: 'Sum', what: 'three, broadcast', inputs: { a: f64([2, 3]), b: f64([3]), c: f64([2, 1]) } },
  {
    op: 'Where',
    what: 'broadcast',
    inputs: { c: tensorOf('bool', [2, 1], [1, 0]), a: f64([3]), b: f64([2, 3]) },
  },
  {
    op: 'Clip',
    what: 'both bounds',
    inputs: { x: apart([3, 4]) },
    constants: { low: f64([], -0.3, -0.3), high: f64([], 0.2, 0.2) },
  },
  {
    op: 'Clip',
    what: 'from above, bounds differentiated',
    inputs: { x: apart([3, 4]), absent: f64([]), high: f64([], 0.2, 0.2) },
  },
  { op: 'Clip', what: 'without bounds', inputs: { x: apart([3, 4]) } },
  { op: 'Cast', what: 'to the same type', inputs: { x: f64([3]) }, attributes: { to: int(11) } },
  { op: 'CastLike', what: 'like another', inputs: { x: f64([3]), like: f64([2]) } },
  { op: 'Dropout', what: 'at inference', inputs: { x: f64([2, 3]) } },
  {
    op: 'Dropout',
    what: 'training mode off',
    inputs: { x: f64([2, 3]) },
    constants: { ratio: tensorOf('float32', [], [0.5]), mode: tensorOf('bool', [], [0]) },
  },
];

const linear: readonly GradientCheck[] = [
  { op: 'Gemm', what: 'plain', inputs: { a: f64([2, 3]), b: f64([3, 4]), c: f64([4]) } },
  {
    op: 'Gemm',
    what: 'B transposed, as exported',
    inputs: { a: f64([2, 3]), b: f64([4, 3]), c: f64([4]) },
    attributes: { transB: int(1) },
  },
  {
    op: 'Gemm',
    what: 'A transposed, alpha and beta, C a column',
    inputs: { a: f64([3, 2]), b: f64([3, 4]), c: f64([2, 1]) },
    attributes: { transA: int(1), alpha: float(0.5), beta: float(2) },
  },
  {
    op: 'Gemm',
    what: 'both transposed, C a scalar',
    inputs: { a: f64([3, 2]), b: f64([4, 3]), c: f64([]) },
    attributes: { transA: int(1), transB: int(1), beta: float(-1) },
  },
  { op: 'Gemm', what: 'without C', inputs: { a: f64([2, 3]), b: f64([3, 4]) } },
  { op: 'MatMul', what: 'matrices', inputs: { a: f64([2, 3]), b: f64([3, 4]) } },
  { op: 'MatMul', what: 'positions by a matrix', inputs: { a: f64([2, 5, 3]), b: f64([3, 4]) } },
  { op: 'MatMul', what: 'a matrix by positions', inputs: { a: f64([5, 3]), b: f64([2, 3, 4]) } },
  { op: 'MatMul', what: 'broadcasting batches', inputs: { a: f64([2, 1, 5, 3]), b: f64([4, 3, 2]) } },
  { op: 'MatMul', what: 'a vector on the left', inputs: { a: f64([3]), b: f64([2, 3, 4]) } },
  { op: 'MatMul', what: 'a vector on the right', inputs: { a: f64([2, 4, 3]), b: f64([3]) } },
  { op: 'MatMul', what: 'two vectors', inputs: { a: f64([3]), b: f64([3]) } },
];

const reshape: readonly GradientCheck[] = [
  { op: 'Reshape', what: 'with a free axis', inputs: { x: f64([2, 3, 4]) }, constants: { shape: i64(0, -1) } },
  { op: 'Flatten', what: 'from axis 2', inputs: { x: f64([2, 3, 4]) }, attributes: { axis: int(2) } },
  { op: 'Squeeze', what: 'axes as input', inputs: { x: f64([2, 1, 3, 1]) }, constants: { axes: i64(1, -1) } },
  { op: 'Squeeze', what: 'all', inputs: { x: f64([2, 1, 3]) } },
  { op: 'Unsqueeze', what: 'two axes', inputs: { x: f64([2, 3]) }, constants: { axes: i64(0, -1) } },
  { op: 'Transpose', what: 'three axes turned', inputs: { x: f64([2, 3, 4]) }, attributes: { perm: ints(1, 2, 0) } },
  { op: 'Transpose', what: 'reversed by default', inputs: { x: f64([2, 3, 4]) } },
  { op: 'Expand', what: 'an axis and a stretch', inputs: { x: f64([2, 1]) }, constants: { shape: i64(3, 2, 4) } },
  {
    op: 'Concat',
    what: 'three',
    inputs: { a: f64([2, 1]), b: f64([2, 3]), c: f64([2, 2]) },
    attributes: { axis: int(-1) },
  },
  { op: 'Split', what: 'unequal parts', inputs: { x: f64([5, 2]) }, constants: { parts: i64(2, 3) }, outputs: 2 },
  {
    op: 'Split',
    what: 'by count',
    inputs: { x: f64([4, 2]) },
    attributes: { num_outputs: int(2) },
    outputs: 2,
    opset: 18,
  },
  { op: 'Slice', what: 'a range', inputs: { x: f64([5, 4]) }, constants: { s: i64(1), e: i64(-1), a: i64(0) } },
  {
    op: 'Slice',
    what: 'in steps',
    inputs: { x: f64([5, 7]) },
    constants: { s: i64(1, 0), e: i64(5, 100), a: i64(0, 1), t: i64(3, 2) },
  },
  {
    op: 'Slice',
    what: 'backwards',
    inputs: { x: f64([7, 2]) },
    constants: { s: i64(-1), e: i64(-100), a: i64(0), t: i64(-2) },
  },
  { op: 'Pad', what: 'around', inputs: { x: f64([2, 3]) }, constants: { pads: i64(0, 1, 2, 0) } },
  { op: 'Pad', what: 'and cut', inputs: { x: f64([4, 3]) }, constants: { pads: i64(-1, 1, 2, -1) } },
  { op: 'Gather', what: 'rows more than once', inputs: { x: f64([4, 3]) }, constants: { i: i64(1, -1, 1) } },
  {
    op: 'Gather',
    what: 'one column',
    inputs: { x: f64([2, 4, 3]) },
    constants: { i: tensorOf('int64', [], [2]) },
    attributes: { axis: int(1) },
  },
  {
    op: 'GatherElements',
    what: 'along axis 1',
    inputs: { x: f64([2, 4]) },
    constants: { i: tensorOf('int64', [2, 3], [0, 0, 3, 2, -1, 1]) },
    attributes: { axis: int(1) },
  },
  {
    op: 'ScatterElements',
    what: 'written',
    inputs: { x: f64([2, 4]), i: tensorOf('int64', [2, 2], [0, 3, 2, 1]), u: f64([2, 2]) },
    attributes: { axis: int(1) },
  },
  {
    op: 'ScatterElements',
    what: 'added',
    inputs: { x: f64([2, 4]), i: tensorOf('int64', [2, 2], [0, 0, 2, 1]), u: f64([2, 2]) },
    attributes: { axis: int(1), reduction: string('add') },
  },
];

const reduce: readonly GradientCheck[] = [
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceL1',
  'ReduceL2',
  'ReduceSumSquare',
  'ReduceLogSumExp',
].flatMap((op): GradientCheck[] => {
  const byInput = { constants: { axes: i64(0, -1) } };
  const old = op === 'ReduceSum' ? byInput : { attributes: { axes: ints(0, -1) } };
  return [
    { op, what: 'opset 13', inputs: { x: apart([2, 3, 4]) }, opset: 13, ...old },
    { op, what: 'opset 18', inputs: { x: apart([2, 3, 4]) }, opset: 18, ...byInput },
    {
      op,
      what: 'without keeping axes',
      inputs: { x: apart([2, 3, 4]) },
      constants: { axes: i64(1) },
      attributes: { keepdims: int(0) },
      opset: 20,
    },
    { op, what: 'everything', inputs: { x: apart([2, 3]) }, attributes: { keepdims: int(0) } },
    { op, what: 'nothing', inputs: { x: apart([2, 3]) }, attributes: { noop_with_empty_axes: int(1) }, opset: 18 },
  ];
});

const normalization: readonly GradientCheck[] = [
  ...['Softmax', 'LogSoftmax'].flatMap((op): GradientCheck[] => [
    { op, what: 'the last axis', inputs: { x: f64([2, 5]) } },
    { op, what: 'a middle axis', inputs: { x: f64([2, 3, 4]) }, attributes: { axis: int(1) } },
  ]),
  { op: 'LayerNormalization', what: 'the last axis', inputs: { x: f64([3, 5]), scale: f64([5]), bias: f64([5]) } },
  {
    op: 'LayerNormalization',
    what: 'two axes, without bias',
    inputs: { x: f64([2, 3, 4]), scale: f64([3, 4]) },
    attributes: { axis: int(-2), epsilon: float(0.1) },
  },
  {
    op: 'BatchNormalization',
    what: 'stored statistics, images',
    inputs: { x: f64([2, 3, 2, 2]), scale: f64([3]), bias: f64([3]), mean: f64([3]), variance: f64([3], 0.5, 2) },
    attributes: { epsilon: float(0.01) },
  },
  {
    op: 'BatchNormalization',
    what: 'stored statistics, features, opset 13',
    inputs: { x: f64([4, 3]), scale: f64([3]), bias: f64([3]), mean: f64([3]), variance: f64([3], 0.5, 2) },
    opset: 13,
  },
];

const convolution: readonly GradientCheck[] = [
  { op: 'Conv', what: 'an image, plain', inputs: { x: f32(2, 3, 5, 4), w: f32(2, 3, 3, 2), b: f32(2) } },
  {
    op: 'Conv',
    what: 'strides, uneven padding, dilation',
    inputs: { x: f32(2, 2, 8, 7), w: f32(3, 2, 2, 3), b: f32(3) },
    attributes: { strides: ints(3, 2), pads: ints(1, 0, 2, 1), dilations: ints(2, 1) },
  },
  {
    op: 'Conv',
    what: 'a stride that leaves a rest',
    inputs: { x: f32(2, 1, 8, 8), w: f32(2, 1, 3, 3) },
    attributes: { strides: ints(3, 3) },
  },
  {
    op: 'Conv',
    what: 'groups',
    inputs: { x: f32(2, 4, 5, 5), w: f32(6, 2, 3, 3), b: f32(6) },
    attributes: { group: int(2), pads: ints(1, 1, 1, 1) },
  },
  { op: 'Conv', what: 'depthwise', inputs: { x: f32(2, 3, 4, 4), w: f32(3, 1, 2, 2) }, attributes: { group: int(3) } },
  {
    op: 'Conv',
    what: 'SAME_UPPER',
    inputs: { x: f32(2, 2, 5, 6), w: f32(2, 2, 2, 3) },
    attributes: { auto_pad: string('SAME_UPPER'), strides: ints(2, 2) },
  },
  {
    op: 'Conv',
    what: 'SAME_LOWER',
    inputs: { x: f32(2, 2, 5, 6), w: f32(2, 2, 2, 4) },
    attributes: { auto_pad: string('SAME_LOWER') },
  },
  {
    op: 'Conv',
    what: 'VALID',
    inputs: { x: f32(2, 2, 5, 5), w: f32(2, 2, 2, 2) },
    attributes: { auto_pad: string('VALID') },
  },
  {
    op: 'Conv',
    what: 'a sequence',
    inputs: { x: f32(2, 3, 9), w: f32(4, 3, 3), b: f32(4) },
    attributes: { strides: ints(2), pads: ints(1, 1), dilations: ints(2) },
  },
  { op: 'Conv', what: 'a volume', inputs: { x: f32(1, 2, 3, 4, 3), w: f32(2, 2, 2, 2, 2), b: f32(2) } },
  { op: 'ConvTranspose', what: 'plain', inputs: { x: f32(2, 3, 4, 4), w: f32(3, 2, 3, 3), b: f32(2) } },
  {
    op: 'ConvTranspose',
    what: 'strides, padding, output padding',
    inputs: { x: f32(2, 4, 3, 4), w: f32(4, 1, 3, 2) },
    attributes: { strides: ints(2, 3), pads: ints(1, 0, 0, 1), output_padding: ints(1, 2), group: int(2) },
  },
  ...(['SAME_UPPER', 'SAME_LOWER', 'VALID', 'NOTSET'] as const).map(
    (mode): GradientCheck => ({
      op: 'ConvTranspose',
      what: `auto_pad ${mode}`,
      inputs: { x: f32(1, 2, 3, 4), w: f32(2, 2, 4, 3) },
      attributes: { auto_pad: string(mode), strides: ints(2, 2) },
    }),
  ),
  {
    op: 'ConvTranspose',
    what: 'its size stated',
    inputs: { x: f32(1, 2, 3, 4), w: f32(2, 2, 4, 3) },
    attributes: { output_shape: ints(5, 8), strides: ints(2, 2) },
  },
  {
    op: 'ConvTranspose',
    what: 'dilation, a sequence',
    inputs: { x: f32(2, 2, 4), w: f32(2, 3, 3) },
    attributes: { dilations: ints(2), pads: ints(2, 1) },
  },
];

const pooling: readonly GradientCheck[] = [
  {
    op: 'MaxPool',
    what: 'halves',
    inputs: { x: apart([2, 3, 4, 4]) },
    attributes: { kernel_shape: ints(2, 2), strides: ints(2, 2) },
  },
  {
    op: 'MaxPool',
    what: 'overlapping, padded, as in a ResNet',
    inputs: { x: apart([2, 2, 7, 6]) },
    attributes: { kernel_shape: ints(3, 3), strides: ints(2, 2), pads: ints(1, 1, 1, 1) },
  },
  {
    op: 'MaxPool',
    what: 'dilation, rounding up',
    inputs: { x: apart([1, 2, 8, 8]) },
    attributes: { kernel_shape: ints(2, 3), strides: ints(2, 3), dilations: ints(2, 1), ceil_mode: int(1) },
  },
  {
    op: 'MaxPool',
    what: 'a sequence, opset 13',
    inputs: { x: apart([2, 2, 7], 'float32') },
    attributes: { kernel_shape: ints(3) },
    opset: 13,
  },
  {
    op: 'AveragePool',
    what: 'halves',
    inputs: { x: f32(2, 3, 4, 4) },
    attributes: { kernel_shape: ints(2, 2), strides: ints(2, 2) },
  },
  {
    op: 'AveragePool',
    what: 'padding left out of the mean',
    inputs: { x: f32(2, 2, 5, 6) },
    attributes: { kernel_shape: ints(3, 2), strides: ints(2, 1), pads: ints(1, 0, 1, 1) },
  },
  {
    op: 'AveragePool',
    what: 'padding counted',
    inputs: { x: f32(2, 2, 5, 6) },
    attributes: { kernel_shape: ints(3, 2), strides: ints(2, 1), pads: ints(1, 0, 1, 1), count_include_pad: int(1) },
  },
  {
    op: 'AveragePool',
    what: 'rounding up, padding counted',
    inputs: { x: f32(1, 2, 6, 6) },
    attributes: {
      kernel_shape: ints(3, 3),
      strides: ints(2, 2),
      pads: ints(1, 1, 1, 1),
      ceil_mode: int(1),
      count_include_pad: int(1),
    },
    opset: 19,
  },
  {
    op: 'AveragePool',
    what: 'rounding up, padding left out, opset 17',
    inputs: { x: f32(1, 2, 6, 6) },
    attributes: { kernel_shape: ints(3, 3), strides: ints(2, 2), pads: ints(1, 1, 1, 1), ceil_mode: int(1) },
  },
  {
    op: 'AveragePool',
    what: 'dilation',
    inputs: { x: f32(1, 2, 6, 6) },
    attributes: { kernel_shape: ints(2, 2), dilations: ints(2, 3) },
    opset: 19,
  },
  {
    op: 'AveragePool',
    what: 'a sequence with a rest',
    inputs: { x: f32(2, 2, 8) },
    attributes: { kernel_shape: ints(3), strides: ints(3) },
  },
  { op: 'GlobalAveragePool', what: 'an image', inputs: { x: f32(2, 3, 4, 5) } },
  { op: 'GlobalMaxPool', what: 'an image', inputs: { x: apart([2, 3, 2, 2], 'float32') } },
];

/** Several nodes together: what only a walk can get wrong. */
export const graphChecks: readonly GradientCheck[] = [
  {
    op: 'Mul',
    what: 'a value used twice',
    inputs: { x: f64([2, 3]) },
    nodes: [node('Exp', ['x'], ['e']), node('Mul', ['e', 'x'], ['p']), node('Add', ['p', 'e'], ['y0'])],
  },
  {
    op: 'Mul',
    what: 'an input twice in one node',
    inputs: { x: f64([2, 3]) },
    nodes: [node('Mul', ['x', 'x'], ['y0'])],
  },
  {
    op: 'Reshape',
    what: 'a shape computed while running',
    inputs: { x: f64([2, 3, 4]) },
    constants: { zero: tensorOf('int64', [], [0]), axis: i64(0), rest: i64(-1) },
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'zero'], ['batch']),
      node('Unsqueeze', ['batch', 'axis'], ['batches']),
      node('Concat', ['batches', 'rest'], ['target'], { axis: int(0) }),
      node('Exp', ['x'], ['e']),
      node('Reshape', ['e', 'target'], ['y0']),
    ],
  },
  {
    op: 'Mul',
    what: 'a float made of integers',
    inputs: { x: f64([2, 3]) },
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('ReduceProd', ['shape'], ['count'], { keepdims: int(0) }),
      node('Cast', ['count'], ['number'], { to: int(11) }),
      node('Div', ['x', 'number'], ['y0']),
    ],
  },
  {
    op: 'ReduceMean',
    what: 'axes made of constants, as exported without optimizing',
    inputs: { x: f64([2, 3, 4]) },
    constants: { flat: i64(-1) },
    nodes: [
      node('Constant', [], ['axis'], { value_int: int(1) }),
      node('Reshape', ['axis', 'flat'], ['axes']),
      node('ReduceMean', ['x', 'axes'], ['y0']),
    ],
    opset: 18,
  },
  {
    op: 'MatMul',
    what: 'a transposed weight',
    inputs: { x: f64([2, 5, 3]), w: f64([4, 3]), b: f64([4]) },
    nodes: [
      node('Transpose', ['w'], ['wt'], { perm: ints(1, 0) }),
      node('MatMul', ['x', 'wt'], ['m']),
      node('Add', ['b', 'm'], ['y0']),
    ],
  },
];

/** At least one row for each rule of the table. */
export const gradientChecks: readonly GradientCheck[] = [
  ...elementwise,
  ...linear,
  ...reshape,
  ...reduce,
  ...normalization,
  ...convolution,
  ...pooling,
  ...einsum,
  ...functions,
  ...indexing,
  ...lowered,
  ...resampling,
  ...shapes,
];
