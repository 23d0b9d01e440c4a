import { product } from '../../onnx/dims';
import { dimsOf, type Expression, type Normalization } from './expression';

/** A tensor's values by its name, of the dims that the expression expects: any checkpoint of the run. */
export type ReadValues = (name: string, dims: readonly number[]) => Promise<Float32Array>;

/** The values that an expression has at a checkpoint, row-major in `dimsOf(expression)`. */
export async function apply(expression: Expression, read: ReadValues): Promise<Float32Array> {
  switch (expression.kind) {
    case 'tensor':
      return read(expression.name, expression.dims);
    case 'reshape':
      return apply(expression.of, read);
    case 'transpose':
      return permute(await apply(expression.of, read), dimsOf(expression.of), expression.perm);
    case 'slice':
      return cut(
        await apply(expression.of, read),
        dimsOf(expression.of),
        expression.axis,
        expression.start,
        expression.length,
      );
    case 'rows':
      return pick(await apply(expression.of, read), product(dimsOf(expression.of).slice(1)), expression.rows);
    case 'concat': {
      const parts: Float32Array[] = [];
      for (const part of expression.of) parts.push(await apply(part, read));
      return join(parts, expression.of.map(dimsOf), expression.axis);
    }
    case 'gates':
      return reorder(await apply(expression.of, read), expression.order);
    case 'shifted': {
      const { of, by } = expression;
      return (await apply(of, read)).map((value) => value + by);
    }
    case 'folded-weight': {
      const { of, axis, groups, normalization } = expression;
      return scaleChannels(await apply(of, read), dimsOf(of), axis, groups, await foldScale(normalization, read));
    }
    case 'folded-bias': {
      const own = expression.of === undefined ? undefined : await apply(expression.of, read);
      return foldBias(own, expression.normalization, read);
    }
  }
}

/**
 * The scale s [outputs] of a weight whose normalisation is folded in, undefined for all others.
 *
 * The graph computes with `W' = diag(s) W`, but training moved W. With s held constant (the normalisation in inference form)
 * the gradients are `∂/∂W = diag(s) ∂/∂W'` and `∂/∂b = s ∘ ∂/∂b'`: a layer's pre-activation gradients times s, channel by
 * channel, are those of the unfolded graph, and every product made of them (covariances, eigenvalues, scores) is in the
 * checkpoint's own coordinates. Without the factor, scores would be those of a training that had moved W' itself: as of
 * a learning rate s² times as high in each channel.
 */
export async function outputScale(expression: Expression, read: ReadValues): Promise<Float32Array | undefined> {
  if (expression.kind === 'reshape') return outputScale(expression.of, read);
  if (expression.kind !== 'folded-weight') return undefined;
  return Float32Array.from(await foldScale(expression.normalization, read));
}

/** `weight / √(variance + epsilon)` [channels], in float64 as the rest of folding, so that only the result is rounded. */
export async function foldScale(normalization: Normalization, read: ReadValues): Promise<Float64Array> {
  const { weight, variance, channels, epsilon } = normalization;
  const spread = await read(variance, [channels]);
  const gain = weight === undefined ? undefined : await read(weight, [channels]);
  return Float64Array.from(spread, (value, channel) => (gain?.[channel] ?? 1) / Math.sqrt(value + epsilon));
}

/** `(b - mean) · scale + bias` [channels]. */
export async function foldBias(
  own: Float32Array | undefined,
  normalization: Normalization,
  read: ReadValues,
): Promise<Float32Array> {
  const { mean, bias, channels } = normalization;
  const scale = await foldScale(normalization, read);
  const center = await read(mean, [channels]);
  const shift = bias === undefined ? undefined : await read(bias, [channels]);
  return Float32Array.from(
    scale,
    (factor, channel) => ((own?.[channel] ?? 0) - center[channel]!) * factor + (shift?.[channel] ?? 0),
  );
}

/** The output channel of every run of `product(dims after axis)` elements, in their order. */
export function channelOfRun(dims: readonly number[], axis: number, groups: number): (run: number) => number {
  const size = dims[axis]!;
  const leading = product(dims.slice(0, axis));
  return (run) => Math.floor((Math.floor(run / size) * groups) / leading) * size + (run % size);
}

function scaleChannels(
  values: Float32Array,
  dims: readonly number[],
  axis: number,
  groups: number,
  scale: Float64Array,
): Float32Array {
  const inner = product(dims.slice(axis + 1));
  const channelOf = channelOfRun(dims, axis, groups);
  return values.map((value, index) => value * scale[channelOf(Math.floor(index / inner))]!);
}

export function permute(values: Float32Array, dims: readonly number[], perm: readonly number[]): Float32Array {
  const strides = dims.map((_, axis) => product(dims.slice(axis + 1)));
  const steps = perm.map((axis) => strides[axis]!);
  const sizes = perm.map((axis) => dims[axis]!);
  const result = new Float32Array(values.length);
  const at = new Array<number>(sizes.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = values[from]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      at[axis]!++;
      from += steps[axis]!;
      if (at[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      at[axis] = 0;
    }
  }
  return result;
}

function cut(values: Float32Array, dims: readonly number[], axis: number, start: number, length: number): Float32Array {
  const inner = product(dims.slice(axis + 1));
  const outer = product(dims.slice(0, axis));
  const result = new Float32Array(outer * length * inner);
  for (let index = 0; index < outer; index++) {
    const from = (index * dims[axis]! + start) * inner;
    result.set(values.subarray(from, from + length * inner), index * length * inner);
  }
  return result;
}

/** Rows of `width` elements in the order in which they are named. */
function pick(values: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const result = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    result.set(values.subarray(row * width, (row + 1) * width), index * width);
  });
  return result;
}

function join(parts: readonly Float32Array[], dims: readonly (readonly number[])[], axis: number): Float32Array {
  const outer = product(dims[0]!.slice(0, axis));
  const result = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let to = 0;
  for (let index = 0; index < outer; index++) {
    for (const part of parts) {
      const length = part.length / outer;
      result.set(part.subarray(index * length, (index + 1) * length), to);
      to += length;
    }
  }
  return result;
}

function reorder(values: Float32Array, order: readonly number[]): Float32Array {
  const length = values.length / order.length;
  const result = new Float32Array(values.length);
  order.forEach((from, to) => {
    result.set(values.subarray(from * length, (from + 1) * length), to * length);
  });
  return result;
}
