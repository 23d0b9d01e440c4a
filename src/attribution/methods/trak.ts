import type { DirectMethod } from '../method';

/**
 * TRAK (Park et al. 2023, section 3): the model as it is linear in its weights around a checkpoint, `f(z) ≈ φ(z) · θ` with φ its
 * model output function's gradient after a random projection, and the effect of one example on that linear model by one Newton step:
 * `τ(q, m) = (mean_c φ_c(q)ᵀ (Φ_cᵀ Φ_c + λ)⁻¹ φ_c(m)) · (mean_c r_c(m))`, where r = -∂L/∂f is what the example still has to be
 * told, 1 - p for cross-entropy. The ensemble's members are the run's checkpoints, each with a projection of its own. Scores are not
 * soft-thresholded.
 */
export const trak: DirectMethod = { name: 'trak', tellsOwn: true };

/**
 * λ over the mean eigenvalue of `Φᵀ Φ`, where nothing else is said: as for influence functions. On a FashionMNIST perceptron (5,000
 * examples, six checkpoints, 100 retrained halves) the linear datamodeling score at dimension 512 was .40 for 0.0001 and 0.01,
 * .43 for 0.1, .40 for 1 and .25 for 10.
 */
export const trakDamping = 0.1;

/** Width of the projection where there are examples enough. On the same run: 128 .31, 256 .37, 512 .43, 1024 .46, 1250 .47. */
const widest = 1024;
/** Examples for each dimension: with fewer, the kernel fits every example by itself, and all scores shrink to noise. */
const examplesPerDimension = 4;

/** The projection's dimension where nothing else is said: at most 1024, four examples each, and as memory allows. */
export function projectionDimension(examples: number, affordable: number): number {
  return Math.max(1, Math.min(widest, Math.floor(examples / examplesPerDimension), affordable));
}

/**
 * Signs ±1 that look random: number i is the lowest bit of splitmix32's i-th number from a seed. Rows of a projection are
 * Kronecker products of two such rows, one over a site's outputs and one over its inputs, so that `<r ⊗ r', d aᵀ> = (r·d)(r'·a)` and
 * no matrix of dimension by parameters is made; products keep their expectation, `E[φ·φ'] = dimension · <g, g'>`.
 */
export function randomSigns(length: number, seed: number): Float32Array {
  const signs = new Float32Array(length);
  for (let i = 0; i < length; i++) signs[i] = mixed((seed + Math.imul(i + 1, 0x9e3779b9)) | 0) & 1 ? 1 : -1;
  return signs;
}

/** A seed from several numbers: each is mixed into those before. */
export function seedOf(...parts: readonly number[]): number {
  return parts.reduce((seed, part) => mixed((seed ^ part) + 0x9e3779b9), 0);
}

function mixed(value: number): number {
  let state = value | 0;
  state = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  state = Math.imul(state ^ (state >>> 15), 0x735a2d97);
  return (state ^ (state >>> 15)) | 0;
}
