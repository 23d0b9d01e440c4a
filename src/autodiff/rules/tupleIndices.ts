import type { GraphBuilder } from '../../onnx/builder';
import { product, range } from '../../onnx/dims';

/** How tuples of indices, [...places, k], address slices of a value. */
export interface TupleIndices {
  /** The value's shape with the indexed axes made one. */
  readonly flat: readonly number[];
  /** Row of `flat` for each place, int64 [count]. */
  readonly rows: string;
}

/** The last axis of `indices` counts along the axes of `dims` after the first `batch` ones, which both share. */
export function tupleIndices(b: GraphBuilder, indices: string, dims: readonly number[], batch: number): TupleIndices {
  const shape = b.dims(indices);
  const depth = shape.at(-1)!;
  const indexed = dims.slice(batch, batch + depth);
  const batches = product(dims.slice(0, batch));
  const places = product(shape.slice(batch, -1));
  const strides = indexed.map((_, axis) => product(indexed.slice(axis + 1)));
  const tuples = b.reshape(b.cast(indices, 'int64'), [batches, places, depth]);
  const lengths = b.constant(indexed, [depth], 'int64');
  const zero = b.constant(0, [], 'int64');
  const positive = b.where(b.less(tuples, zero), b.add(tuples, lengths), tuples);
  const within = b.reduceSum(b.mul(positive, b.constant(strides, [depth], 'int64')), [2]);
  const size = product(indexed);
  const starts = b.constant(
    range(batches).map((index) => index * size),
    [batches, 1],
    'int64',
  );
  return {
    flat: [batches * size, product(dims.slice(batch + depth))],
    rows: b.reshape(b.add(within, starts), [batches * places]),
  };
}
