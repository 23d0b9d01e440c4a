import type { GraphBuilder } from '../../onnx/builder';
import { useActivationCovariance, useGradientCovariance } from '../positions';
import type { Site } from '../site';

/** `Σ_i w_i Σ_t a_t a_tᵀ` [inputs, inputs] over a batch; the weights [batch] are 0 for padding rows, else 1. */
export function activationCovariance(builder: GraphBuilder, site: Site, weights: string): string {
  const terms = site.uses.map((use) => useActivationCovariance(builder, site, use, weights));
  return terms.reduce((sum, term) => builder.add(sum, term));
}

/** `Σ_i Σ_c Σ_t d_t d_tᵀ` [outputs, outputs] over a batch and the Fisher's draws c. */
export function gradientCovariance(
  builder: GraphBuilder,
  site: Site,
  draws: readonly ReadonlyMap<string, string>[],
): string {
  const terms = draws.flatMap((draw) =>
    site.uses.map((use) => useGradientCovariance(builder, site, use, draw.get(use.output)!)),
  );
  return terms.reduce((sum, term) => builder.add(sum, term));
}
