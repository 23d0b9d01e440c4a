import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { apart, f32, float, i64, int, ints, string } from './tensors';

/** Whole layers that are written as simpler ops: images read at places, transforms, folds, products, losses. */

/** Places off the pixels' borders, where interpolation has kinks, some of them outside of the image. */
const places = tensorOf(
  'float32',
  [2, 2, 3, 2],
  [
    ...[-0.9, -0.42, 0.13, 0.31, 0.77, -1.31, 1.29, 0.55, -0.37, 0.66, 0.21, -0.88],
    ...[0.05, 0.93, -1.22, 0.17, 0.48, 0.39, -0.61, 1.37, 0.83, -0.29, -0.15, -0.71],
  ],
);

const sampling = (['zeros', 'border', 'reflection'] as const).flatMap((padding): GradientCheck[] =>
  [0, 1].map((aligned) => ({
    op: 'GridSample',
    what: `linear, beyond the image ${padding}, corners aligned ${aligned}`,
    inputs: { x: f32(2, 3, 4, 5), grid: places },
    attributes: { mode: string('linear'), padding_mode: string(padding), align_corners: int(aligned) },
    opset: 20,
  })),
);

const turns = (opset: number, constants: GradientCheck['constants'], attributes: GradientCheck['attributes'] = {}) => ({
  op: 'DFT',
  opset,
  attributes,
  constants: constants ?? {},
});

const axis = (value: number) => tensorOf('int64', [], [value]);
const absent = tensorOf('int64', [0], []);

const fourier: readonly GradientCheck[] = [
  { ...turns(17, {}, { axis: int(1) }), what: 'real, opset 17', inputs: { x: f32(2, 5, 1) } },
  { ...turns(20, {}), what: 'complex, the last axis', inputs: { x: f32(2, 4, 2) } },
  { ...turns(20, { absent, axis: axis(1) }), what: 'an axis in the middle', inputs: { x: f32(2, 3, 4, 2) } },
  { ...turns(20, {}, { inverse: int(1) }), what: 'inverse', inputs: { x: f32(3, 4, 2) } },
  { ...turns(20, {}, { onesided: int(1) }), what: 'one side', inputs: { x: f32(2, 6, 1) } },
  { ...turns(20, { length: axis(3) }), what: 'cut', inputs: { x: f32(2, 5, 1) } },
  { ...turns(20, { length: axis(8), axis: axis(-2) }), what: 'with zeros behind', inputs: { x: f32(2, 5, 2) } },
];

const folds: readonly GradientCheck[] = [
  {
    op: 'Col2Im',
    what: 'blocks side by side',
    inputs: { x: f32(2, 8, 6) },
    constants: { image: i64(4, 6), block: i64(2, 2) },
    attributes: { strides: ints(2, 2) },
    opset: 18,
  },
  {
    op: 'Col2Im',
    what: 'overlapping, padded',
    inputs: { x: f32(1, 18, 20) },
    constants: { image: i64(4, 5), block: i64(3, 3) },
    attributes: { pads: ints(1, 1, 1, 1) },
    opset: 18,
  },
  {
    op: 'Col2Im',
    what: 'dilated, with a rest',
    inputs: { x: f32(2, 4, 4) },
    constants: { image: i64(6, 7), block: i64(2, 2) },
    attributes: { dilations: ints(2, 3), strides: ints(2, 3) },
    opset: 18,
  },
];

const factors = tensorOf('float32', [2, 3], [0.5, 0, -1.5, 0.7, 1.1, -0.3]);
const products: readonly GradientCheck[] = [
  { op: 'ReduceProd', what: 'a row with a zero', inputs: { x: factors }, attributes: { axes: ints(1) } },
  { op: 'ReduceProd', what: 'everything', inputs: { x: f32(5) }, attributes: { keepdims: int(0) } },
  {
    op: 'ReduceProd',
    what: 'two axes of three, opset 18',
    inputs: { x: f32(2, 4, 3) },
    constants: { axes: i64(0, -1) },
    attributes: { keepdims: int(0) },
    opset: 18,
  },
  {
    op: 'ReduceProd',
    what: 'nothing',
    inputs: { x: f32(2, 3) },
    attributes: { noop_with_empty_axes: int(1) },
    opset: 18,
  },
];

const channels: readonly GradientCheck[] = [
  {
    op: 'LRN',
    what: 'three channels',
    inputs: { x: f32(2, 5, 2, 3) },
    attributes: { size: int(3), alpha: float(0.3) },
  },
  {
    op: 'LRN',
    what: 'more channels than there are',
    inputs: { x: f32(2, 4, 3, 1) },
    attributes: { size: int(5), alpha: float(0.5), beta: float(0.6), bias: float(1.5) },
  },
];

const labels = tensorOf('int64', [3], [2, 0, 1]);
const grid = tensorOf('int64', [2, 3], [0, 2, -100, 1, 1, 3]);
const weighed = { weights: tensorOf('float32', [4], [0.5, 1, 2, 0.3]) };

const losses: readonly GradientCheck[] = [
  { op: 'SoftmaxCrossEntropyLoss', what: 'the mean', inputs: { x: f32(3, 4) }, constants: { labels } },
  {
    op: 'SoftmaxCrossEntropyLoss',
    what: 'positions, some ignored, classes weighed, log-probabilities read too',
    inputs: { x: f32(2, 4, 3) },
    constants: { grid, ...weighed },
    attributes: { ignore_index: int(-100), reduction: string('mean') },
    outputs: 2,
  },
  {
    op: 'SoftmaxCrossEntropyLoss',
    what: 'each',
    inputs: { x: f32(3, 4) },
    constants: { labels },
    attributes: { reduction: string('none') },
  },
  {
    op: 'NegativeLogLikelihoodLoss',
    what: 'the sum, some ignored',
    inputs: { x: f32(2, 4, 3) },
    constants: { grid },
    attributes: { ignore_index: int(-100), reduction: string('sum') },
  },
  {
    op: 'NegativeLogLikelihoodLoss',
    what: 'the mean, classes weighed',
    inputs: { x: f32(3, 4) },
    constants: { labels, ...weighed },
  },
];

export const layers: readonly GradientCheck[] = [
  ...sampling,
  {
    op: 'GridSample',
    what: 'the nearest pixel',
    inputs: { x: f32(2, 2, 3, 4), grid: places },
    attributes: { mode: string('nearest') },
    opset: 20,
  },
  {
    op: 'GridSample',
    what: 'bilinear as opset 16 spells it',
    inputs: { x: apart([2, 1, 3, 4], 'float32'), grid: places },
    attributes: { mode: string('bilinear') },
  },
  ...[0, 1].map(
    (aligned): GradientCheck => ({
      op: 'AffineGrid',
      what: `corners aligned ${aligned}`,
      inputs: { theta: f32(2, 2, 3) },
      constants: { size: i64(2, 3, 4, 5) },
      attributes: { align_corners: int(aligned) },
      opset: 20,
    }),
  ),
  ...fourier,
  ...folds,
  ...products,
  ...channels,
  ...losses,
];
