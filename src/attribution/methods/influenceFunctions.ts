import type { Method } from '../method';

/** Fraction of a site's mean eigenvalue that is added to all of them (Grosse et al. 2023, section 2.4). */
const relativeDamping = 0.1;

/** Influence functions at the last checkpoint: `q -> (H + λI)^-1 q / N`, λ a tenth of each site's mean eigenvalue. */
export const influenceFunctions: Method = {
  name: 'influence-functions',
  plan: ({ checkpoints, examples }) => [
    {
      checkpoints: [checkpoints - 1],
      curvature: [checkpoints - 1],
      respond: dampedInverse,
      scale: 1 / examples,
    },
  ],
};

function dampedInverse(eigenvalues: Float32Array): Float32Array {
  let sum = 0;
  for (const h of eigenvalues) sum += h;
  const damping = (relativeDamping * sum) / eigenvalues.length;
  // A site that no gradient ever reaches has no curvature at all, and no influence either.
  return Float32Array.from(eigenvalues, (h) => (h + damping > 0 ? 1 / (h + damping) : 0));
}
