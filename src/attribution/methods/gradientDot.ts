import { eachEigenvalue, type Method } from '../method';

/** Dot product of gradients at the last checkpoint, `<∇f(z_q, θ^s), g_m(θ^s)>`: TracIn's first-order step, at one place. */
export const gradientDot: Method = {
  name: 'gradient-dot',
  plan: ({ checkpoints }) => [
    { checkpoints: [checkpoints - 1], curvature: [], respond: eachEigenvalue(() => 1), scale: 1 },
  ],
};
