import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne, siteActivation, siteGradient } from '../positions';
import type { Site } from '../site';
import { transposedTimes } from './products';
import { type BasisInputs, eigenbasisGradients, rotateRows } from './projection';

/**
 * `Σ_i Σ_c (V_S G_ic V_Aᵀ)²` [outputs, inputs] over a batch and the Fisher's draws c: squares of each example's own
 * gradient, summed over its positions first (George et al. 2018, eq. 12).
 * @param draws each draw's gradients, by the graph value that they are of
 */
export function eigenvalueSum(
  builder: GraphBuilder,
  site: Site,
  draws: readonly ReadonlyMap<string, string>[],
  bases: BasisInputs,
): string {
  const activation = siteActivation(builder, site);
  const gradients = draws.map((draw) => siteGradient(builder, site, draw));
  if (isRankOne(site)) {
    // (d aᵀ)² = d² (a²)ᵀ, so the draws are summed before the one product.
    const rotated = rotateRows(builder, activation, bases.activation);
    const squares = gradients.map((gradient) => square(builder, rotateRows(builder, gradient, bases.gradient)));
    const sum = squares.reduce((total, term) => builder.add(total, term));
    return transposedTimes(builder, sum, square(builder, rotated));
  }
  return eigenbasisGradients(builder, site, activation, gradients, bases)
    .map((full) => builder.reduceSum(square(builder, full), [0], false))
    .reduce((total, term) => builder.add(total, term));
}

function square(builder: GraphBuilder, value: string): string {
  return builder.mul(value, value);
}
