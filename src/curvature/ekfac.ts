import { WhenceError } from '../protocol/errors';
import type { Site } from './site';

/** Sums over examples and checkpoints of one site's outer products, float64, row-major. */
export interface Covariances {
  /** [inputs, inputs] */
  readonly activation: Float64Array;
  /** [outputs, outputs] */
  readonly gradient: Float64Array;
}

/**
 * A basis as rows, [size, size]: the coordinates of x are `vectors x`. Orthonormal eigenvectors V, or, with scales s, `V diag(s)`:
 * eigenvectors of a curvature in coordinates that are s times finer. Equal ids mean equal bases.
 */
export interface Basis {
  readonly id: string;
  readonly size: number;
  readonly vectors: Float32Array;
  readonly scales?: Float32Array;
}

/** Where one site's curvature is diagonal: coordinates of a gradient G are `V_S G V_Aᵀ`. */
export interface Eigenbasis {
  readonly activation: Basis;
  readonly gradient: Basis;
}

/** One site's EK-FAC: `H ≈ (V_S ⊗ V_A)ᵀ diag(Λ) (V_S ⊗ V_A)`, Λ [outputs, inputs] a mean of per-example squares. */
export interface EkfacFactor extends Eigenbasis {
  readonly eigenvalues: Float32Array;
  /** Where the curvature is that of an optimizer with weight decay: what this adds to each eigenvalue. */
  readonly decay?: Decay;
  /** Where an optimizer is taken element by element, [outputs, inputs] each: the factor of the gradient, and the rate of weight decay. */
  readonly elements?: { readonly steps: Float32Array; readonly decay: Float32Array };
}

/** A number, or `rows[i] columns[j]` for the coordinate (i, j) of a site [outputs, inputs]. */
export type Decay = number | { readonly rows: Float64Array; readonly columns: Float64Array };

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
