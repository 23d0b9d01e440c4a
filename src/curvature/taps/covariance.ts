import type { GraphBuilder } from '../../onnx/builder';
import { siteGradient } from '../positions';
import type { Site } from '../site';
import { asRows, transposedTimes } from './products';

/**
 * `Σ_i w_i Σ_t a_t a_tᵀ` [inputs, inputs] over a batch; the weights [batch] are 0 for padding rows.
 */
export function activationCovariance(builder: GraphBuilder, activation: string, weights: string): string {
  const dims = builder.dims(activation);
  const perExample = builder.reshape(weights, [dims[0]!, ...dims.slice(1).map(() => 1)]);
  return transposedTimes(builder, asRows(builder, builder.mul(activation, perExample)), asRows(builder, activation));
}

/** `Σ_i Σ_c Σ_t d_t d_tᵀ` [outputs, outputs] over a batch and the Fisher's draws c. */
export function gradientCovariance(
  builder: GraphBuilder,
  site: Site,
  draws: readonly ReadonlyMap<string, string>[],
): string {
  return draws
    .map((draw) => {
      const rows = asRows(builder, siteGradient(builder, site, draw));
      return transposedTimes(builder, rows, rows);
    })
    .reduce((sum, term) => builder.add(sum, term));
}
