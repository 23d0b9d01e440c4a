import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { apart, f32, f64, float, i64, int, ints, string } from './tensors';

/** The same ops again in other ranks, shapes and broadcasts than where their attributes are tried. */

const kinked = ['Relu', 'Abs', 'Sign', 'Floor', 'Ceil', 'Round', 'LeakyRelu', 'Celu', 'Elu', 'Selu', 'Softsign'];
const smooth = ['Neg', 'Exp', 'Sigmoid', 'Tanh', 'Identity', 'Erf', 'Softplus', 'Sin', 'Cos', 'Tan', 'Atan', 'Sinh'];
const more = ['Cosh', 'Asinh', 'Dropout', 'HardSigmoid', 'HardSwish', 'ThresholdedRelu', 'Shrink'];
const positive = ['Log', 'Sqrt', 'Reciprocal'];
const inner = ['Asin', 'Acos', 'Atanh'];
/** Of a later opset than the others. */
const opsets: Readonly<Record<string, number>> = { Gelu: 20, Mish: 18 };

function between(dims: readonly number[], low: number, high: number) {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const values = Array.from({ length: size }, (_, index) => low + ((index + 0.5) * (high - low)) / size);
  return tensorOf('float32', dims, values);
}

const unary = [
  ...[...kinked, ...smooth, ...more, ...Object.keys(opsets)].map((op) => [op, -0.83, 0.91] as const),
  ...positive.map((op) => [op, 0.6, 2] as const),
  ...inner.map((op) => [op, -0.7, 0.6] as const),
  ['Acosh', 1.4, 3] as const,
].flatMap(([op, low, high]): GradientCheck[] => {
  const opset = opsets[op] === undefined ? {} : { opset: opsets[op] };
  return [
    { op, what: 'a number', inputs: { x: between([], low / 2, high) }, ...opset },
    { op, what: 'four axes', inputs: { x: between([2, 1, 3, 2], low, high) }, ...opset },
  ];
});

const many = ['Max', 'Min', 'Sum', 'Mean'].flatMap((op): GradientCheck[] => [
  { op, what: 'one', inputs: { a: apart([3], 'float32') } },
  { op, what: 'a plane and a column', inputs: { a: apart([2, 1, 3], 'float32'), b: between([4, 1], -0.04, 0.04) } },
  { op, what: 'a number and rows', inputs: { a: between([], 0.01, 0.02), b: apart([2, 3], 'float32') } },
]);

const broadcasts: readonly GradientCheck[] = [
  {
    op: 'Where',
    what: 'a row of conditions, a column, a number',
    inputs: { c: tensorOf('bool', [3], [1, 0, 1]), a: f64([2, 1]), b: f64([]) },
  },
  { op: 'Pow', what: 'planes to a column', inputs: { x: f64([2, 1, 3], 0.5, 2), p: f64([4, 1], 0.5, 2) } },
  { op: 'Pow', what: 'a number to a row', inputs: { x: f64([], 0.5, 2), p: f64([3], 0.5, 2) } },
  {
    op: 'Mod',
    what: 'rows',
    inputs: { a: f64([2, 3], 2.1, 2.9), b: f64([3], 0.8, 0.9) },
    attributes: { fmod: int(1) },
  },
  { op: 'PRelu', what: 'one slope', inputs: { x: apart([2, 5], 'float32'), s: f32(1) } },
  { op: 'PRelu', what: 'a slope per feature', inputs: { x: apart([4, 3], 'float32'), s: f32(3) } },
  { op: 'PRelu', what: 'a slope per channel', inputs: { x: apart([2, 3, 2, 2], 'float32'), s: f32(3, 1, 1) } },
  { op: 'Clip', what: 'a number', inputs: { x: f64([], 0.2, 0.2) }, constants: { low: f64([], -1, -1) } },
  { op: 'Clip', what: 'planes', inputs: { x: apart([2, 3, 2]) }, constants: { low: f64([], -0.3, -0.3) } },
  { op: 'Cast', what: 'planes', inputs: { x: f64([2, 1, 3]) }, attributes: { to: int(11) } },
  { op: 'CastLike', what: 'planes, like a number', inputs: { x: f64([2, 1, 3]), like: f64([]) } },
  { op: 'Hardmax', what: 'a row', inputs: { x: apart([4], 'float32') } },
  { op: 'EyeLike', what: 'a square', inputs: { x: f32(3, 3) } },
];

const axes = (value: number) => tensorOf('int64', [], [value]);

const rearranged: readonly GradientCheck[] = [
  { op: 'Reshape', what: 'a number to a row', inputs: { x: f64([]) }, constants: { shape: i64(1) } },
  { op: 'Reshape', what: 'rows to planes', inputs: { x: f64([6, 2]) }, constants: { shape: i64(3, -1, 2) } },
  { op: 'Flatten', what: 'a row', inputs: { x: f64([4]) }, attributes: { axis: int(0) } },
  { op: 'Flatten', what: 'pictures', inputs: { x: f64([2, 3, 2, 2]) } },
  { op: 'Unsqueeze', what: 'a number', inputs: { x: f64([]) }, constants: { axes: i64(0) } },
  { op: 'Unsqueeze', what: 'planes', inputs: { x: f64([2, 3, 2]) }, constants: { axes: i64(1, 3) } },
  { op: 'Transpose', what: 'a matrix', inputs: { x: f64([2, 3]) } },
  { op: 'Transpose', what: 'heads', inputs: { x: f64([2, 3, 2, 4]) }, attributes: { perm: ints(0, 2, 1, 3) } },
  { op: 'Expand', what: 'a number', inputs: { x: f64([]) }, constants: { shape: i64(2, 3) } },
  { op: 'Expand', what: 'a column of planes', inputs: { x: f64([2, 1, 3]) }, constants: { shape: i64(4, 1) } },
  { op: 'Concat', what: 'rows', inputs: { a: f64([2]), b: f64([3]) }, attributes: { axis: int(0) } },
  { op: 'Concat', what: 'channels', inputs: { a: f64([2, 1, 2]), b: f64([2, 3, 2]) }, attributes: { axis: int(1) } },
  {
    op: 'Split',
    what: 'three of the last axis',
    inputs: { x: f64([2, 3, 6]) },
    constants: { parts: i64(1, 3, 2) },
    attributes: { axis: int(-1) },
    outputs: 3,
  },
  { op: 'Slice', what: 'a row', inputs: { x: f64([6]) }, constants: { s: i64(1), e: i64(4) } },
  {
    op: 'Slice',
    what: 'planes, two axes',
    inputs: { x: f64([2, 4, 5]) },
    constants: { s: i64(-3, 4), e: i64(9, 0), a: i64(1, -1), t: i64(1, -2) },
  },
  { op: 'Tile', what: 'a row', inputs: { x: f64([3]) }, constants: { repeats: i64(2) } },
  { op: 'Trilu', what: 'batches of planes', inputs: { x: f64([2, 2, 3, 3]) } },
  { op: 'Pad', what: 'a row', inputs: { x: f64([4]) }, constants: { pads: i64(2, 1) } },
  { op: 'CumSum', what: 'a row', inputs: { x: f64([5]) }, constants: { axis: axes(0) } },
  { op: 'CumSum', what: 'the middle of three', inputs: { x: f64([2, 4, 3]) }, constants: { axis: axes(1) } },
  { op: 'TopK', what: 'a row', inputs: { x: apart([5]) }, constants: { k: i64(3) }, outputs: 2 },
  {
    op: 'TopK',
    what: 'the middle of three',
    inputs: { x: apart([2, 4, 3]) },
    constants: { k: i64(2) },
    attributes: { axis: int(1) },
    outputs: 2,
  },
];

const places = tensorOf('int64', [1, 2, 3], [1, 0, 1, 3, 2, -1]);

const indexed: readonly GradientCheck[] = [
  { op: 'GatherElements', what: 'a row', inputs: { x: f64([4]) }, constants: { i: i64(2, 2, 0, -1, 1) } },
  {
    op: 'GatherElements',
    what: 'three axes, fewer places',
    inputs: { x: f64([2, 4, 3]) },
    constants: { i: places },
    attributes: { axis: int(1) },
  },
  { op: 'ScatterElements', what: 'a row', inputs: { x: f64([4]), i: i64(3, 0), u: f64([2]) } },
  ...['none', 'add'].map(
    (kind): GradientCheck => ({
      op: 'ScatterElements',
      what: `three axes, ${kind}`,
      inputs: { x: f64([2, 4, 3]), i: places, u: f64([1, 2, 3]) },
      attributes: { axis: int(1), reduction: string(kind) },
    }),
  ),
  {
    op: 'ScatterND',
    what: 'rows of planes',
    inputs: { x: f64([2, 3, 2]), i: tensorOf('int64', [2, 2], [0, 2, 1, 0]), u: f64([2, 2]) },
  },
  {
    op: 'Gather',
    what: 'a table of rows',
    inputs: { x: f64([3, 2]) },
    constants: { i: tensorOf('int64', [2, 2], [0, 2, 2, 1]) },
  },
];

const spatial: readonly GradientCheck[] = [
  { op: 'GlobalAveragePool', what: 'a sequence', inputs: { x: f32(2, 3, 5) } },
  { op: 'GlobalAveragePool', what: 'a volume', inputs: { x: f32(1, 2, 2, 3, 2) } },
  { op: 'GlobalMaxPool', what: 'a sequence', inputs: { x: apart([2, 3, 4], 'float32') } },
  { op: 'DepthToSpace', what: 'blocks of three', inputs: { x: f32(1, 9, 1, 2) }, attributes: { blocksize: int(3) } },
  { op: 'SpaceToDepth', what: 'blocks of three', inputs: { x: f32(1, 2, 3, 6) }, attributes: { blocksize: int(3) } },
  {
    op: 'Resize',
    what: 'a sequence, linear',
    inputs: { x: f32(2, 2, 5) },
    constants: { absent: tensorOf('float32', [0], []), scales: tensorOf('float32', [3], [1, 1, 1.6]) },
    attributes: { mode: string('linear') },
    opset: 18,
  },
  {
    op: 'Resize',
    what: 'a volume, linear',
    inputs: { x: f32(1, 1, 2, 3, 2) },
    constants: { absent: tensorOf('float32', [0], []), scales: tensorOf('float32', [5], [1, 1, 2, 1, 1.5]) },
    attributes: { mode: string('linear') },
    opset: 18,
  },
  {
    op: 'ReduceLogSum',
    what: 'two of three axes',
    inputs: { x: between([2, 3, 2], 0.5, 2) },
    constants: { axes: i64(0, 2) },
    attributes: { keepdims: int(0) },
    opset: 18,
  },
  {
    op: 'BatchNormalization',
    what: 'a sequence',
    inputs: { x: f64([2, 3, 4]), s: f64([3]), b: f64([3]), m: f64([3]), v: f64([3], 0.5, 2) },
    attributes: { epsilon: float(0.1) },
  },
];

export const shapes: readonly GradientCheck[] = [
  ...unary,
  ...many,
  ...broadcasts,
  ...rearranged,
  ...indexed,
  ...spatial,
];
