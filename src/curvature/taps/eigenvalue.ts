import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne } from '../positions';
import type { Site } from '../site';
import { transposedTimes } from './products';
import { perExampleGradient } from './projection';

/**
 * `Σ_i Σ_c (V_S G_ic V_Aᵀ)²` [outputs, inputs] over a batch and the Fisher's draws c: squares of each example's own
 * gradient, summed over its positions first (George et al. 2018, eq. 12). All arguments are in the eigenbasis.
 */
export function eigenvalueSum(
  builder: GraphBuilder,
  site: Site,
  activation: string,
  gradients: readonly string[],
): string {
  if (isRankOne(site)) {
    // (d aᵀ)² = d² (a²)ᵀ, so the draws are summed before the one product.
    const squares = gradients.map((gradient) => builder.mul(gradient, gradient));
    const sum = squares.reduce((total, square) => builder.add(total, square));
    return transposedTimes(builder, sum, builder.mul(activation, activation));
  }
  return gradients
    .map((gradient) => {
      const full = perExampleGradient(builder, site, { activation, gradient });
      return builder.reduceSum(builder.mul(full, full), [0], false);
    })
    .reduce((total, term) => builder.add(total, term));
}
