import { intOf, stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { positiveAxis, product, range } from '../../onnx/dims';
import { asNeeded, constantInput, type GradientRule, type GradientRules, unsupportedForm } from '../rule';

/**
 * The gradient of taking whole slices of a value of shape `dims` at `indices` along `axis`; slices taken more than once
 * add up. `g` is [...dims before axis, ...indices' dims, ...dims after it].
 */
export function gatherGradient(
  b: GraphBuilder,
  g: string,
  indices: string,
  dims: readonly number[],
  axis: number,
): string {
  const [before, after] = [product(dims.slice(0, axis)), product(dims.slice(axis + 1))];
  const count = product(b.dims(indices));
  const places = b.expand(b.reshape(indices, [1, count, 1]), [before, count, after]);
  const zeros = b.zeros({ dtype: b.dtype(g), dims: [before, dims[axis]!, after] });
  const scattered = b.scatterElements(zeros, places, b.reshape(g, [before, count, after]), 1, 'add');
  return b.reshape(scattered, dims);
}

const gather: GradientRule = (b, node, [g]) => {
  const [value, indices] = node.inputs as [string, string];
  const dims = b.dims(value);
  return [gatherGradient(b, g!, indices, dims, positiveAxis(intOf(node, 'axis', 0), dims.length)), null];
};

const gatherElements: GradientRule = (b, node, [g]) => {
  const zeros = b.zeros(b.typeOf(node.inputs[0]!));
  return [b.scatterElements(zeros, node.inputs[1]!, g!, intOf(node, 'axis', 0), 'add'), null];
};

const scatterElements: GradientRule = (b, node, [g], needs) => {
  const [, indices, updates] = node.inputs as [string, string, string];
  const axis = intOf(node, 'axis', 0);
  const kind = scatterKind(b, node);
  return asNeeded(
    needs,
    () => (kind === 'add' ? g! : b.scatterElements(g!, indices, b.zeros(b.typeOf(updates)), axis, 'none')),
    () => g!,
    () => b.gatherElements(g!, indices, axis),
  );
};

function scatterKind(b: GraphBuilder, node: Parameters<GradientRule>[1]): 'none' | 'add' {
  const kind = stringOf(node, 'reduction', 'none');
  if (kind === 'none' || kind === 'add') return kind;
  throw unsupportedForm(b, node, `it reduces by ${kind}`, 'Write the layer without it.');
}

/** How tuples of indices, [...places, k], address slices of a value. */
interface TupleIndices {
  /** The value's shape with the indexed axes made one. */
  readonly flat: readonly number[];
  /** Row of `flat` for each place, int64 [count]. */
  readonly rows: string;
}

/** The last axis of `indices` counts along the axes of `dims` after the first `batch` ones, which both share. */
function tupleIndices(b: GraphBuilder, indices: string, dims: readonly number[], batch: number): TupleIndices {
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

const gatherNd: GradientRule = (b, node, [g]) => {
  const [value, indices] = node.inputs as [string, string];
  const dims = b.dims(value);
  const { flat, rows } = tupleIndices(b, indices, dims, intOf(node, 'batch_dims', 0));
  return [b.reshape(gatherGradient(b, g!, rows, flat, 0), dims), null];
};

const scatterNd: GradientRule = (b, node, [g], needs) => {
  const [data, indices, updates] = node.inputs as [string, string, string];
  const kind = scatterKind(b, node);
  const overwritten = (): string => {
    const { flat, rows } = tupleIndices(b, indices, b.dims(data), 0);
    const count = b.dims(rows)[0]!;
    const places = b.expand(b.reshape(rows, [count, 1]), [count, flat[1]!]);
    const zeros = b.zeros({ dtype: b.dtype(g!), dims: [count, flat[1]!] });
    return b.reshape(b.scatterElements(b.reshape(g!, flat), places, zeros, 0, 'none'), b.dims(data));
  };
  return asNeeded(
    needs,
    () => (kind === 'add' ? g! : overwritten()),
    () => g!,
    () => {
      const { flat, rows } = tupleIndices(b, indices, b.dims(data), 0);
      return b.reshape(b.gather(b.reshape(g!, flat), rows, 0), b.dims(updates));
    },
  );
};

const topK: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  const indices = b.siblingOutput(node.outputs[0]!, 1, { dtype: 'int64', dims: b.dims(g!) });
  return [b.scatterElements(b.zeros(b.typeOf(x)), indices, g!, intOf(node, 'axis', -1), 'add'), null];
};

/** A running sum's gradient is the running sum from the other end. */
const cumSum: GradientRule = (b, node, [g]) => {
  const [axis] = constantInput(b, node, 1)!;
  const reverse = intOf(node, 'reverse', 0) !== 1;
  return [b.cumSum(g!, axis!, { reverse, exclusive: intOf(node, 'exclusive', 0) === 1 }), null];
};

export const indexing: GradientRules = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  TopK: topK,
  CumSum: cumSum,
};
