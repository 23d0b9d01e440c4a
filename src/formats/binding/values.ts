import { bytesPerElement } from '../../onnx/dtype';
import type { Initializer } from '../../onnx/graph';
import type { Tensor } from '../../onnx/runtime';
import { tensorFromBytes } from '../../onnx/tensor';
import { elementCount, elementOffset, readTensor, type TensorRef, toFloat32 } from '../tensor';

/** An initializer's values, wherever the model keeps them. */
export type ReadInitializer = (initializer: Initializer) => Promise<Tensor>;

/** Values are compared at so many places first, and in full only where those agree. */
const sampleSize = 8;
/** Tensors up to here are read whole to be sampled. */
const smallBytes = 2 ** 16;
/** Elements of tensors that are kept for the next comparison. */
const keptElements = 2 ** 24;

/** Values of initializers and tensors: a few of them, or all; the last ones that were read are kept. */
export class Values {
  private readonly kept = new Map<Initializer | TensorRef, Float32Array>();
  private keptLength = 0;

  constructor(private readonly readInitializer: ReadInitializer) {}

  ofInitializer(initializer: Initializer): Promise<Float32Array> {
    return this.once(initializer, () => this.readInitializer(initializer));
  }

  ofTensor(ref: TensorRef): Promise<Float32Array> {
    return this.once(ref, () => readTensor(ref));
  }

  /** A tensor's elements at flat positions, without reading the rest of a big one. */
  async at(ref: TensorRef, positions: readonly number[]): Promise<Float32Array> {
    if (ref.dtype === 'string') return new Float32Array(positions.length).fill(Number.NaN);
    if (elementCount(ref.dims) * bytesPerElement[ref.dtype] <= smallBytes || this.kept.has(ref)) {
      const values = await this.ofTensor(ref);
      return Float32Array.from(positions, (position) => values[position]!);
    }
    const width = bytesPerElement[ref.dtype];
    const found = new Float32Array(positions.length);
    for (const [index, position] of positions.entries()) {
      const bytes = await ref.source.read(elementOffset(ref, position), width);
      found[index] = toFloat32(tensorFromBytes(ref.dtype, [1], bytes))[0]!;
    }
    return found;
  }

  /** Whether two tensors of one checkpoint hold the same values; by samples only where `inFull` is false. */
  async areEqual(a: TensorRef, b: TensorRef, inFull: boolean): Promise<boolean> {
    const count = elementCount(a.dims);
    if (count !== elementCount(b.dims)) return false;
    const positions = samplePositions(count);
    if (!sameValues(await this.at(a, positions), await this.at(b, positions))) return false;
    return !inFull || sameValues(await this.ofTensor(a), await this.ofTensor(b));
  }

  private async once(key: Initializer | TensorRef, read: () => Promise<Tensor>): Promise<Float32Array> {
    const known = this.kept.get(key);
    if (known) return known;
    const values = toFloat32(await read());
    this.kept.set(key, values);
    this.keptLength += values.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.keptLength <= keptElements) break;
      this.kept.delete(oldest);
      this.keptLength -= length;
    }
    return values;
  }
}

/** Flat positions spread over `count` elements. */
export function samplePositions(count: number): readonly number[] {
  const size = Math.min(count, sampleSize);
  return Array.from({ length: size }, (_, index) => Math.floor(((index + 0.5) * count) / size));
}

/** Where the element at `position` of a transposed matrix stands in the matrix itself, of so many rows and columns. */
export function untransposed(position: number, rows: number, columns: number): number {
  return (position % rows) * columns + Math.floor(position / rows);
}

export function isConstant(values: Float32Array): boolean {
  return values.every((value) => value === values[0]);
}

export function sameValues(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
