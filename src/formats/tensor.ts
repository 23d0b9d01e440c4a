import { bytesPerElement, type DType, isFloat } from '../onnx/dtype';
import { fromBfloat16, fromFloat16 } from '../onnx/float16';
import type { Tensor } from '../onnx/runtime';
import { tensorFromBytes } from '../onnx/tensor';
import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';

/** A tensor that lies in a file: little-endian, row-major, `length` bytes from `offset`. Nothing is read until it is asked for. */
export interface TensorRef {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** `[128, 256]`, as it stands in messages. */
export function formatDims(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

/** Reads a tensor as it is stored. Fails with `malformed-file` where its bytes and its shape disagree. */
export async function readTensor(ref: TensorRef): Promise<Tensor> {
  if (ref.dtype !== 'string' && ref.length !== elementCount(ref.dims) * bytesPerElement[ref.dtype]) {
    throw new WhenceError(
      'malformed-file',
      `Tensor ${ref.name} of shape ${formatDims(ref.dims)} and type ${ref.dtype} cannot have ${ref.length} bytes.`,
      { file: ref.source.path, place: `tensor ${ref.name}` },
    );
  }
  const bytes = await ref.source.read(ref.offset, ref.length);
  return tensorFromBytes(ref.dtype, ref.dims, bytes);
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
