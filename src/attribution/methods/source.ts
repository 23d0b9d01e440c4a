import { eachEigenvalue, type Method } from '../method';

/** `exp(-t h)`: what a segment of total learning rate t leaves of a perturbation (SOURCE, Bae et al. 2024, eq. 16). */
export function propagate(t: number, h: number): number {
  return Math.exp(-t * h);
}

/** `(1 - exp(-t h)) / h`, with its limit t at h = 0: how far a segment carries a constant force (eq. 17). */
export function respond(t: number, h: number): number {
  const x = t * h;
  return Math.abs(x) < 1e-12 ? t : -Math.expm1(-x) / h;
}

/**
 * SOURCE: segments of stationary, independent gradients and Hessians. Adam is plain gradient descent in coordinates rescaled by
 * the roots of its steps, so these are its two functions too.
 */
export const source: Method = {
  name: 'source',
  plan: ({ segments, examples }) =>
    segments.map(({ checkpoints, totalLearningRate: t }) => ({
      checkpoints,
      curvature: checkpoints,
      dynamics: true,
      respond: eachEigenvalue((h) => respond(t, h)),
      propagate: eachEigenvalue((h) => propagate(t, h)),
      scale: 1 / examples,
    })),
};
