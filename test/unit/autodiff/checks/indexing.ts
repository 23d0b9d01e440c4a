import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { apart, f64, i64, int, string } from './tensors';

export const indexing: readonly GradientCheck[] = [
  {
    op: 'GatherND',
    what: 'elements, one twice',
    inputs: { x: f64([3, 4]) },
    constants: { i: tensorOf('int64', [3, 2], [0, 1, 2, -1, 0, 1]) },
  },
  {
    op: 'GatherND',
    what: 'rows by a table of indices',
    inputs: { x: f64([3, 2, 2]) },
    constants: { i: tensorOf('int64', [2, 2, 1], [0, 2, -2, 2]) },
  },
  {
    op: 'GatherND',
    what: 'within batches',
    inputs: { x: f64([2, 3, 2]) },
    constants: { i: tensorOf('int64', [2, 2, 1], [0, 2, 1, 1]) },
    attributes: { batch_dims: int(1) },
  },
  {
    op: 'ScatterND',
    what: 'written',
    inputs: { x: f64([3, 2]), i: tensorOf('int64', [2, 1], [2, 0]), u: f64([2, 2]) },
  },
  {
    op: 'ScatterND',
    what: 'elements added, one twice',
    inputs: { x: f64([3, 2]), i: tensorOf('int64', [3, 2], [0, 1, 2, 0, 0, -1]), u: f64([3]) },
    attributes: { reduction: string('add') },
  },
  ...['max', 'min'].flatMap((kind): GradientCheck[] => [
    {
      op: 'ScatterElements',
      what: `the ${kind}, of one element or several`,
      inputs: { x: apart([2, 4]), i: tensorOf('int64', [2, 3], [0, 0, 3, 2, 1, -1]), u: f64([2, 3], -0.04, 0.04) },
      attributes: { axis: int(1), reduction: string(kind) },
      opset: 18,
    },
    {
      op: 'ScatterND',
      what: `the ${kind} of rows`,
      inputs: { x: apart([4, 2]), i: tensorOf('int64', [3, 1], [2, 0, 2]), u: f64([3, 2], -0.04, 0.04) },
      attributes: { reduction: string(kind) },
      opset: 18,
    },
  ]),
  { op: 'TopK', what: 'the largest two', inputs: { x: apart([3, 5]) }, constants: { k: i64(2) }, outputs: 2 },
  {
    op: 'TopK',
    what: 'the smallest along axis 0',
    inputs: { x: apart([4, 2]) },
    constants: { k: i64(1) },
    attributes: { axis: int(0), largest: int(0) },
    outputs: 2,
  },
  { op: 'CumSum', what: 'forwards', inputs: { x: f64([2, 4]) }, constants: { axis: tensorOf('int64', [], [1]) } },
  {
    op: 'CumSum',
    what: 'backwards, exclusive',
    inputs: { x: f64([4, 3]) },
    constants: { axis: tensorOf('int64', [], [-2]) },
    attributes: { reverse: int(1), exclusive: int(1) },
  },
  { op: 'Tile', what: 'twice and three times', inputs: { x: f64([2, 1, 3]) }, constants: { repeats: i64(2, 3, 1) } },
  {
    op: 'Trilu',
    what: 'above the diagonal',
    inputs: { x: f64([2, 3, 4]) },
    constants: { k: tensorOf('int64', [], [1]) },
  },
  { op: 'Trilu', what: 'lower', inputs: { x: f64([4, 4]) }, attributes: { upper: int(0) } },
  ...(['reflect', 'edge', 'wrap'] as const).map(
    (mode): GradientCheck => ({
      op: 'Pad',
      what: mode,
      inputs: { x: f64([1, 3, 4]) },
      constants: { pads: i64(0, 2, 1, 0, 1, 3) },
      attributes: { mode: string(mode) },
      opset: 19,
    }),
  ),
];
