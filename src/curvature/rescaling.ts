import type { Matrix } from './algebra';
import type { Basis } from './ekfac';

/**
 * A diagonal change of one site's coordinates: gradients G [outputs, inputs] become `D G = diag(rows) G diag(columns)`, and a
 * Kronecker-factored curvature stays one. An optimizer that multiplies gradients by `P = D²` is plain gradient descent there.
 */
export interface Rescaling {
  /** [outputs] */
  readonly rows: Float32Array;
  /** [inputs] */
  readonly columns: Float32Array;
}

/** `diag(s) C diag(s)` in place, for a covariance C [n, n]: that of vectors times s. */
export function rescaleCovariance(covariance: Float64Array, scales: Float32Array): void {
  const n = scales.length;
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      covariance[row * n + column] = covariance[row * n + column]! * scales[row]! * scales[column]!;
    }
  }
}

/** Eigenvectors V of a rescaled covariance as coordinates of what has not been rescaled yet: `V diag(s)`. */
export function rescaledBasis({ size, vectors }: Basis, scales: Float32Array, id: string): Basis {
  return { id, size, vectors: timesColumns(vectors, (column) => scales[column]!, size), scales };
}

/** Rows w_k with `<w_k, v_j> = δ_kj`, [size, size]: `Σ_k y_k w_k` has the coordinates y. `V diag(1/s)`, V itself where nothing is rescaled. */
export function dualOf({ size, vectors, scales }: Basis): Matrix {
  const dims = [size, size];
  if (!scales) return { dims, values: vectors };
  return { dims, values: timesColumns(vectors, (column) => 1 / scales[column]! ** 2, size) };
}

function timesColumns(rows: Float32Array, factor: (column: number) => number, width: number): Float32Array {
  return Float32Array.from(rows, (value, index) => value * factor(index % width));
}
