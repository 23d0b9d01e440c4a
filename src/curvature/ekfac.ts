import { WhenceError } from '../protocol/errors';
import type { Site } from './site';

/** Sums over examples and checkpoints of one site's outer products, float64, row-major. */
export interface Covariances {
  /** [inputs, inputs] */
  readonly activation: Float64Array;
  /** [outputs, outputs] */
  readonly gradient: Float64Array;
}

/** An orthonormal basis: eigenvectors as rows, [size, size]. Equal ids mean equal bases. */
export interface Basis {
  readonly id: string;
  readonly size: number;
  readonly vectors: Float32Array;
}

/** Where one site's curvature is diagonal: coordinates of a gradient G are `V_S G V_Aᵀ`. */
export interface Eigenbasis {
  readonly activation: Basis;
  readonly gradient: Basis;
}

/** One site's EK-FAC: `H ≈ (V_S ⊗ V_A)ᵀ diag(Λ) (V_S ⊗ V_A)`, Λ [outputs, inputs] a mean of per-example squares. */
export interface EkfacFactor extends Eigenbasis {
  readonly eigenvalues: Float32Array;
}

/** Adds a batch's float32 sums to a float64 total in place, so that no precision is lost over many batches. */
export function accumulate(total: Float64Array, batch: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) total[i] = total[i]! + batch[i]!;
}

/** The mean over `count` examples as float32; refuses what is not finite, naming the site. */
export function meanEigenvalues(site: Site, sum: Float64Array, count: number): Float32Array {
  return Float32Array.from(sum, (value, i) => {
    const mean = value / count;
    if (!Number.isFinite(mean)) {
      throw new WhenceError('not-finite', `The curvature of ${site.weight} is not finite (element ${i}).`, {
        place: `tensor ${site.weight}`,
        mend: 'Training has probably diverged: look for NaN or huge values in the checkpoints and the data.',
      });
    }
    return mean;
  });
}
