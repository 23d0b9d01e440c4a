import { WhenceError } from '../protocol/errors';

/** Arithmetic on static shapes. */

export function product(dims: readonly number[]): number {
  return dims.reduce((size, dim) => size * dim, 1);
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** `-1` is the last axis. */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) {
    throw new WhenceError('shape-mismatch', `Axis ${axis} does not exist in a tensor of rank ${rank}.`);
  }
  return positive;
}

/** The shape of an element-wise result, by NumPy's broadcasting. */
export function broadcastDims(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new WhenceError('shape-mismatch', `Shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast.`);
    }
    return left === 1 ? right : left;
  });
}

/** The axes of `from` (in its own numbering) that were stretched or added when `to` was broadcast to it. */
export function broadcastAxes(from: readonly number[], to: readonly number[]): readonly number[] {
  const added = from.length - to.length;
  return from.flatMap((dim, axis) => (axis < added || (to[axis - added] === 1 && dim !== 1) ? [axis] : []));
}

/** The shape left when `axes` are reduced. No axes means all of them only where the caller says so by listing them. */
export function reducedDims(dims: readonly number[], axes: readonly number[], keep: boolean): readonly number[] {
  const gone = new Set(axes.map((axis) => positiveAxis(axis, dims.length)));
  return dims.flatMap((dim, axis) => (gone.has(axis) ? (keep ? [1] : []) : [dim]));
}

/** 0, 1, ..., length - 1. */
export function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

/** The permutation that undoes `perm`. */
export function inversePermutation(perm: readonly number[]): readonly number[] {
  const inverse = new Array<number>(perm.length).fill(0);
  perm.forEach((from, to) => {
    inverse[from] = to;
  });
  return inverse;
}
