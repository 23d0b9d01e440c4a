import type { Attribute, Node } from '../../../../src/onnx/graph';
import type { Tensor } from '../../../../src/onnx/runtime';
import { tensorOf } from '../../../../src/onnx/tensor';
import { randomNumbers } from '../gradientCheck';

/** What the rows of the gradient-check table are written with. */

const random = randomNumbers(1);

/** Random float64 between `low` and `high`. */
export function f64(dims: readonly number[], low = -1, high = 1): Tensor {
  return floats('float64', dims, low, high);
}

/** For kernels that onnxruntime has in single precision only. */
export function f32(...dims: readonly number[]): Tensor {
  return floats('float32', dims, -1, 1);
}

function floats(dtype: 'float32' | 'float64', dims: readonly number[], low: number, high: number): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    dtype,
    dims,
    Array.from({ length: size }, () => low + ((random() + 1) / 2) * (high - low)),
  );
}

/** Distinct numbers at least 0.1 apart and 0.05 off zero, in random order: kinks stay out of the differences' reach. */
export function apart(dims: readonly number[], dtype: 'float32' | 'float64' = 'float64'): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const values = Array.from({ length: size }, (_, index) => (index - Math.floor(size / 2)) * 0.1 + 0.05);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(((random() + 1) / 2) * (last + 1));
    [values[last], values[other]] = [values[other]!, values[last]!];
  }
  return tensorOf(dtype, dims, values);
}

export function i64(...values: readonly number[]): Tensor {
  return tensorOf('int64', [values.length], values);
}

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const ints = (...value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const string = (value: string): Attribute => ({ kind: 'string', value });

export function node(op: string, inputs: readonly string[], outputs: readonly string[], attributes = {}): Node {
  return { name: `/${op}`, op, domain: '', inputs, outputs, attributes };
}
