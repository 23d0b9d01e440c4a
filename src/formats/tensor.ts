import { bytesPerElement, type DType, isFloat } from '../onnx/dtype';
import { fromBfloat16, fromFloat16 } from '../onnx/float16';
import type { Tensor } from '../onnx/runtime';
import { tensorFromBytes } from '../onnx/tensor';
import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';

/** A tensor that lies in a file, little-endian, `length` bytes from `offset`. Nothing is read until it is asked for. */
export interface TensorRef {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly source: ByteSource;
  /** Byte of the element at index 0 of every axis. */
  readonly offset: number;
  /** Bytes from the first to the last element. */
  readonly length: number;
  /** Elements from one index of an axis to the next, for views of a larger tensor; absent where the tensor is row-major. */
  readonly strides?: readonly number[];
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** `[128, 256]`, as it stands in messages. */
export function formatDims(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

/** Elements from the first to the last of a view, both included. */
export function elementSpan(dims: readonly number[], strides: readonly number[]): number {
  if (dims.includes(0)) return 0;
  return dims.reduce((span, dim, axis) => span + (dim - 1) * strides[axis]!, 1);
}

/** Where the element at a row-major position lies in the file. */
export function elementOffset({ dtype, dims, offset, strides }: TensorRef, position: number): number {
  const width = dtype === 'string' ? 0 : bytesPerElement[dtype];
  if (!strides) return offset + position * width;
  let elements = 0;
  let rest = position;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    elements += (rest % dims[axis]!) * strides[axis]!;
    rest = Math.floor(rest / dims[axis]!);
  }
  return offset + elements * width;
}

/** Reads a tensor, row-major. Fails with `malformed-file` where its bytes and its shape disagree. */
export async function readTensor(ref: TensorRef): Promise<Tensor> {
  const elements = ref.strides ? elementSpan(ref.dims, ref.strides) : elementCount(ref.dims);
  if (ref.dtype !== 'string' && ref.length !== elements * bytesPerElement[ref.dtype]) {
    throw new WhenceError(
      'malformed-file',
      `Tensor ${ref.name} of shape ${formatDims(ref.dims)} and type ${ref.dtype} cannot have ${ref.length} bytes.`,
      { file: ref.source.path, place: `tensor ${ref.name}` },
    );
  }
  const bytes = await ref.source.read(ref.offset, ref.length);
  return tensorFromBytes(ref.dtype, ref.dims, ref.strides ? gather(bytes, ref, ref.strides) : bytes);
}

/** The elements of a view, in row-major order. */
function gather(bytes: Uint8Array, { dtype, dims }: TensorRef, strides: readonly number[]): Uint8Array {
  const width = dtype === 'string' ? 0 : bytesPerElement[dtype];
  const count = elementCount(dims);
  const gathered = new Uint8Array(count * width);
  const index = dims.map(() => 0);
  let from = 0;
  for (let element = 0; element < count; element++) {
    for (let byte = 0; byte < width; byte++) gathered[element * width + byte] = bytes[from * width + byte]!;
    // As an odometer turns: an axis that is through goes back to its start and moves the one before it.
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < dims[axis]!) break;
      from -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return gathered;
}

/**
 * Reads a tensor of any floating type as float32. Fails with `unsupported-dtype` for other types and with `not-finite`
 * where a value is NaN or infinite, in the file or after rounding to float32.
 */
export async function readFloat32(ref: TensorRef): Promise<Float32Array> {
  if (!isFloat(ref.dtype)) {
    throw new WhenceError(
      'unsupported-dtype',
      `Tensor ${ref.name} is ${ref.dtype}, where floating numbers are needed.`,
      {
        file: ref.source.path,
        place: `tensor ${ref.name}`,
        mend: 'Save the weights as float32, float64, float16 or bfloat16.',
      },
    );
  }
  const values = toFloat32(await readTensor(ref));
  const index = firstNotFinite(values);
  if (index >= 0) {
    throw new WhenceError('not-finite', `Tensor ${ref.name} holds ${values[index]} at element ${index}.`, {
      file: ref.source.path,
      place: `tensor ${ref.name}, element ${index}`,
      mend: 'Use checkpoints from before training diverged.',
    });
  }
  return values;
}

/** A tensor of floating type, its elements rounded to float32; a float32 one's own memory. */
export function toFloat32(tensor: Tensor): Float32Array {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return Float32Array.from(data, dtype === 'float16' ? fromFloat16 : fromBfloat16);
  return Float32Array.from(data as Float64Array);
}

/** Index of the first NaN or infinity, or -1. */
export function firstNotFinite(values: Float32Array | Float64Array): number {
  for (let index = 0; index < values.length; index++) if (!Number.isFinite(values[index])) return index;
  return -1;
}
