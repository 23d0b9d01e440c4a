import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { apart, f32, f64, float, int, ints } from './tensors';

const unbounded = (['Sin', 'Cos', 'Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh'] as const).map(
  (op): GradientCheck => ({ op, what: 'a matrix', inputs: { x: f32(2, 3) } }),
);

const bounded = (['Asin', 'Acos', 'Atanh'] as const).map(
  (op): GradientCheck => ({
    op,
    what: 'off its ends',
    inputs: { x: tensorOf('float32', [4], [-0.5, -0.2, 0.1, 0.6]) },
  }),
);

export const functions: readonly GradientCheck[] = [
  ...unbounded,
  ...bounded,
  { op: 'Acosh', what: 'above one', inputs: { x: tensorOf('float32', [3], [1.5, 2, 4]) } },
  { op: 'Celu', what: 'alpha 0.5', inputs: { x: apart([3, 4], 'float32') }, attributes: { alpha: float(0.5) } },
  { op: 'Selu', what: 'by default', inputs: { x: apart([3, 4], 'float32') } },
  { op: 'Softsign', what: 'both sides', inputs: { x: apart([3, 4], 'float32') } },
  {
    op: 'ThresholdedRelu',
    what: 'alpha 0.3',
    inputs: { x: apart([3, 5], 'float32') },
    attributes: { alpha: float(0.27) },
  },
  {
    op: 'Shrink',
    what: 'soft',
    inputs: { x: apart([3, 5], 'float32') },
    attributes: { lambd: float(0.23), bias: float(0.23) },
  },
  { op: 'Shrink', what: 'hard', inputs: { x: apart([15], 'float32') }, attributes: { lambd: float(0.41) } },
  { op: 'Hardmax', what: 'a middle axis', inputs: { x: apart([2, 3, 2], 'float32') }, attributes: { axis: int(1) } },
  { op: 'EyeLike', what: 'above the diagonal', inputs: { x: f32(3, 4) }, attributes: { k: int(1) } },
  {
    op: 'Mod',
    what: 'both signs',
    inputs: { a: tensorOf('float64', [4], [5.3, -5.3, 0.7, 2.2]), b: f64([1], 2, 3) },
    attributes: { fmod: int(1) },
  },
  { op: 'Mean', what: 'three, broadcast', inputs: { a: f32(2, 3), b: f32(3), c: f32(2, 1) } },
  {
    op: 'ReduceLogSum',
    what: 'positive numbers',
    inputs: { x: tensorOf('float32', [2, 3], [0.5, 1, 2, 0.7, 1.1, 3]) },
    attributes: { axes: ints(1) },
  },
];
