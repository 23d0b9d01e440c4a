import { eachEigenvalue, type Method } from '../method';

/** Added to every eigenvalue before it is divided by; results depend on it more than one would like. */
const damping = 1e-8;

/**
 * The paper's form of SOURCE for Adam (Bae et al. 2024, appendix C), to be compared with: `σ = P ∘ diag(H)` takes the place of the
 * curvature element by element, and what has been lost of the query, `1 - exp(-t σ)`, goes through EK-FAC's inverse. It ignores
 * how P turns the eigenvectors, which SOURCE's own form here does not. P is of second moments in rows and columns.
 */
export const sourceElementwise: Method = {
  name: 'source-elementwise',
  forAdam: true,
  plan: ({ segments, examples }) =>
    segments.map(({ checkpoints, totalLearningRate: t }) => ({
      checkpoints,
      curvature: checkpoints,
      elements: { lost: (rate) => -Math.expm1(-t * rate), left: (rate) => Math.exp(-t * rate) },
      respond: eachEigenvalue((h) => 1 / (h + damping)),
      scale: 1 / examples,
    })),
};
