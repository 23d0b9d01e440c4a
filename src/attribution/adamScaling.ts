import type { Rescaling } from '../curvature/rescaling';

/** Means of one site's matrix [outputs, inputs] over each row and over each column. */
export interface Marginals {
  /** [outputs] */
  readonly rows: Float64Array;
  /** [inputs] */
  readonly columns: Float64Array;
}

/**
 * The second moment of the gradient of a batch of B examples out of N, by rows and columns:
 * `ḡ² + (E[g_i²] - ḡ²) (N - B) / (B (N - 1))`, for batches drawn without replacement. It is what Adam averages.
 *
 * @param squares of `E[g_i²]` over per-example gradients
 * @param mean of `ḡ²`, the squared mean gradient
 */
export function batchMoment(squares: Marginals, mean: Marginals, batch: number, examples: number): Marginals {
  const noise = examples > 1 ? Math.max(0, (examples - batch) / (batch * (examples - 1))) : 0;
  const side = (of: (marginals: Marginals) => Float64Array) =>
    of(squares).map((square, i) => of(mean)[i]! + noise * Math.max(0, square - of(mean)[i]!));
  return { rows: side(({ rows }) => rows), columns: side(({ columns }) => columns) };
}

/** The mean of several checkpoints' marginals. */
export function meanMarginals(all: readonly Marginals[]): Marginals {
  const mean = (of: (marginals: Marginals) => Float64Array) =>
    of(all[0]!).map((_, i) => all.reduce((sum, one) => sum + of(one)[i]!, 0) / all.length);
  return { rows: mean(({ rows }) => rows), columns: mean(({ columns }) => columns) };
}

/**
 * Adam as plain gradient descent: `D` with `D² = 1 / (√v + ε)`, for v of which rows and columns are known. Row means times column
 * means over the mean stand for v (Adafactor, Shazeer and Stern 2018, section 3), which keeps a Kronecker-factored curvature
 * factored: the rows of D are `r^-1/4`, its columns `c^-1/4`.
 */
export function adamRescaling({ rows, columns }: Marginals, epsilon: number): Rescaling {
  const v = mean(rows);
  // Without any gradient nothing but ε divides.
  const [r, c] = v > 0 ? [rows, columns.map((value) => value / v)] : [rows, columns.map(() => 1)];
  const damped = (own: Float64Array, across: Float64Array): Float64Array => {
    // Means of (√v + ε)² over the other side, of a v that is r cᵀ.
    const [roots, squares] = [mean(across.map(Math.sqrt)), mean(across)];
    return own.map((value) => value * squares + 2 * epsilon * Math.sqrt(value) * roots + epsilon ** 2);
  };
  const [byRow, byColumn] = [damped(r, c), damped(c, r)];
  const total = mean(byRow);
  if (!(total > 0)) return { rows: ones(rows.length), columns: ones(columns.length) };
  return { rows: rescaled(byRow), columns: rescaled(byColumn.map((value) => value / total)) };
}

/** `x^-1/4`; what no gradient ever reaches stands still, whatever its coordinates are. */
function rescaled(values: Float64Array): Float32Array {
  return Float32Array.from(values, (value) => (value > 0 ? value ** -0.25 : 1));
}

function ones(length: number): Float32Array {
  return new Float32Array(length).fill(1);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
