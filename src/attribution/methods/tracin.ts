import { eachEigenvalue, type Method } from '../method';

/** TracInCP (Pruthi et al. 2020): `Σ_c η_c <∇f(z_q, θ_c), g_m(θ_c)>` over all checkpoints, no curvature. */
export const tracin: Method = {
  name: 'tracin',
  plan: ({ checkpoints, learningRates }) =>
    Array.from({ length: checkpoints }, (_, checkpoint) => ({
      checkpoints: [checkpoint],
      curvature: [],
      respond: eachEigenvalue(() => 1),
      queryCheckpoint: checkpoint,
      scale: learningRates[checkpoint]!,
    })),
};
