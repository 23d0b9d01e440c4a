import { WhenceError } from '../protocol/errors';
import { product } from './dims';
import type { DType } from './dtype';
import type { Node } from './graph';
import type { Tensor, TensorData } from './runtime';
import { numbersOf, tensorOf } from './tensor';

/** The tensor that plain numbers or a typed array stand for; float32, a scalar or a vector where nothing else is said. */
export function constantTensor(
  values: number | readonly number[] | TensorData,
  dims?: readonly number[],
  dtype?: DType,
): Tensor {
  if (typeof values === 'number') return tensorOf(dtype ?? 'float32', dims ?? [], [values]);
  if (isPlain(values)) return tensorOf(dtype ?? 'float32', dims ?? [values.length], values);
  const tensor = { dtype: dtype ?? naturalDType(values), dims: dims ?? [values.length], data: values };
  if (product(tensor.dims) !== values.length) {
    throw new WhenceError('internal', `${values.length} values cannot fill the shape [${tensor.dims.join(', ')}].`);
  }
  return tensor;
}

function isPlain(values: readonly number[] | TensorData): values is readonly number[] {
  return Array.isArray(values);
}

function naturalDType(data: TensorData): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Uint16Array) return 'uint16';
  return data instanceof Uint32Array ? 'uint32' : 'uint64';
}

/** What a Constant node holds, which it spells in one of several attributes; null where that is no numbers. */
export function constantNode(node: Node): readonly number[] | null {
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'tensor') return numbersOf(attribute.value);
    if (attribute.kind === 'int' || attribute.kind === 'float') return [attribute.value];
    if (attribute.kind === 'ints' || attribute.kind === 'floats') return attribute.value;
  }
  return null;
}
