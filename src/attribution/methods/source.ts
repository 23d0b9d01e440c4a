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

/** SOURCE: segments of stationary, independent gradients and Hessians. */
export const source: Method = {
  name: 'source',
  plan: ({ segments, examples, weightDecay }) =>
    segments.map(({ checkpoints, totalLearningRate: t }) => ({
      checkpoints,
      curvature: checkpoints,
      respond: eachEigenvalue((h) => respond(t, h + weightDecay)),
      propagate: eachEigenvalue((h) => propagate(t, h + weightDecay)),
      scale: 1 / examples,
    })),
};
