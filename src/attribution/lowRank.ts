import { type Algebra, type Matrix, transposed } from '../curvature/algebra';
import { symmetricEigen } from './jacobi';

/** Preconditioned queries of one site as they are scored: in full [Q, outputs, inputs], or as sums of `rank` outer products. */
export type ScoredQueries = { readonly kind: 'full'; readonly values: Matrix } | LowRankQueries;

/** `W_q = Σ_j l_qj r_qjᵀ`: left [Q · rank, outputs] and right [Q · rank, inputs]. */
export interface LowRankQueries {
  readonly kind: 'low-rank';
  readonly rank: number;
  readonly left: Matrix;
  readonly right: Matrix;
}

/** Squared Frobenius norms, one a query: of the matrices, and of what a truncation left out of them. */
export interface Truncation {
  readonly norms: Float64Array;
  readonly leftOut: Float64Array;
}

/** Directions that are followed beside those that are kept, and rounds of sharpening them (Halko et al. 2011, algorithm 4.4). */
const oversampling = 8;
const rounds = 2;

/** Whether scoring by outer products takes less than half of the work that scoring in full does. */
export function isWorthTruncating(outputs: number, inputs: number, rank: number): boolean {
  return 2 * rank * (outputs + inputs) < outputs * inputs && rank + oversampling <= Math.min(outputs, inputs);
}

/**
 * The best approximations of some rank of queries [Q, outputs, inputs], by randomized subspace iteration and a singular value
 * decomposition within the subspace. What they leave out is measured, not estimated, and added to `truncation`.
 */
export async function truncated(
  algebra: Algebra,
  queries: Matrix,
  rank: number,
  truncation: Truncation,
): Promise<LowRankQueries> {
  const [count, outputs, inputs] = queries.dims as [number, number, number];
  const left = new Float32Array(count * rank * outputs);
  const right = new Float32Array(count * rank * inputs);
  for (let q = 0; q < count; q++) {
    const width = outputs * inputs;
    const own = { dims: [outputs, inputs], values: queries.values.subarray(q * width, (q + 1) * width) };
    const best = await bestApproximation(algebra, own, rank);
    left.set(best.left.values, q * rank * outputs);
    right.set(best.right.values, q * rank * inputs);
    const product = await algebra.multiply(transposed(best.left), best.right);
    truncation.norms[q] = truncation.norms[q]! + squaredDistance(own.values);
    truncation.leftOut[q] = truncation.leftOut[q]! + squaredDistance(own.values, product.values);
  }
  return {
    kind: 'low-rank',
    rank,
    left: { dims: [count * rank, outputs], values: left },
    right: { dims: [count * rank, inputs], values: right },
  };
}

async function bestApproximation(
  algebra: Algebra,
  matrix: Matrix,
  rank: number,
): Promise<{ readonly left: Matrix; readonly right: Matrix }> {
  const inputs = matrix.dims[1]!;
  const directions = rank + oversampling;
  let across: Matrix = { dims: [directions, inputs], values: scattered(directions * inputs) };
  for (let round = 0; round < rounds; round++) {
    const range = orthonormal(transposed(await algebra.project(matrix, across)));
    across = orthonormal(await algebra.multiply(range, matrix));
  }
  const range = orthonormal(transposed(await algebra.project(matrix, across)));
  const within = await algebra.multiply(range, matrix);
  const gram = await algebra.project(within, within);
  const { vectors } = symmetricEigen(Float64Array.from(gram.values), directions);
  const kept = Float32Array.from(vectors.subarray(0, rank * directions));
  const turn: Matrix = { dims: [rank, directions], values: kept };
  return { left: await algebra.multiply(turn, range), right: await algebra.multiply(turn, within) };
}

/** Rows made orthonormal one after another, each twice, since once leaves what rounding brings back; in place. */
function orthonormal({ dims, values }: Matrix): Matrix {
  const [rows, width] = dims as [number, number];
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    const before = Math.sqrt(squaredDistance(own));
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < row; other++) {
        const at = other * width;
        let product = 0;
        for (let i = 0; i < width; i++) product += values[at + i]! * own[i]!;
        for (let i = 0; i < width; i++) own[i] = own[i]! - product * values[at + i]!;
      }
    }
    const length = Math.sqrt(squaredDistance(own));
    // What is left of a direction that the others already span is noise.
    const scale = length > 1e-6 * before ? 1 / length : 0;
    for (let i = 0; i < width; i++) own[i] = own[i]! * scale;
  }
  return { dims, values };
}

/** Numbers that look random and are the same every time, so that scores are too: a Weyl sequence, spread over -1..1. */
function scattered(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const mixed = Math.imul((i + 1) ^ ((i + 1) >>> 15), 0x85ebca6b);
    return (Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 8) / 2 ** 23 - 1;
  });
}

function squaredDistance(values: Float32Array, from?: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - (from?.[i] ?? 0)) ** 2;
  return sum;
}
