import { WhenceError } from '../protocol/errors';
import { product } from './dims';
import { bytesPerElement, type DType } from './dtype';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './float16';
import type { Initializer } from './graph';
import type { Tensor, TensorData } from './runtime';

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** `bytes` (little-endian, row-major) as a tensor: a view where they are aligned, a copy where not. */
export function tensorFromBytes(dtype: DType, dims: readonly number[], bytes: Uint8Array): Tensor {
  if (dtype === 'string') throw new WhenceError('unsupported-dtype', 'Tensors of strings cannot be computed with.');
  const width = bytesPerElement[dtype];
  const length = product(dims);
  if (bytes.byteLength !== length * width) {
    throw new WhenceError(
      'malformed-file',
      `A ${dtype} tensor of shape [${dims.join(', ')}] takes ${length * width} bytes, not ${bytes.byteLength}.`,
    );
  }
  // Not `slice`, which in Node's Buffer is a view again.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return { dtype, dims, data: new arrays[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, length) };
}

/** A tensor of `values` converted to `dtype`. */
export function tensorOf(dtype: DType, dims: readonly number[], values: readonly number[]): Tensor {
  if (values.length !== product(dims)) {
    throw new WhenceError('internal', `${values.length} values cannot fill the shape [${dims.join(', ')}].`);
  }
  return { dtype, dims, data: dataOf(dtype, values) };
}

function dataOf(dtype: DType, values: readonly number[]): TensorData {
  switch (dtype) {
    case 'string':
      throw new WhenceError('unsupported-dtype', 'Tensors of strings cannot be computed with.');
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
    case 'float16':
      return Uint16Array.from(values, toFloat16);
    case 'bfloat16':
      return Uint16Array.from(values, toBfloat16);
    default:
      return arrays[dtype].from(values);
  }
}

/** The tensor's elements as JavaScript numbers. For small tensors: axes, shapes, exponents. */
export function numbersOf(tensor: Tensor): readonly number[] {
  if (tensor.dtype === 'float16') return Array.from(tensor.data as Uint16Array, fromFloat16);
  if (tensor.dtype === 'bfloat16') return Array.from(tensor.data as Uint16Array, fromBfloat16);
  return Array.from<number | bigint, number>(tensor.data as ArrayLike<number | bigint>, Number);
}

export function bytesOf(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

/** The initializer's tensor, or null where its bytes lie in another file. */
export function initializerTensor(initializer: Initializer): Tensor | null {
  return initializer.bytes ? tensorFromBytes(initializer.dtype, initializer.dims, initializer.bytes) : null;
}
